"""Tapes for people to look at: as text in a terminal, as a table of their times."""
