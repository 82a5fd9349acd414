"""The tee and the player inside each HTTP client.

``routing`` decides who answers a request, ``take`` holds what is being recorded, ``playback`` where
a player stands in a tape; each other module is the seam of one client library.
"""
