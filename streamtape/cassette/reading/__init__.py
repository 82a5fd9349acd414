"""What a cassette file says, with the line of every value: YAML, JSON, and whose form it is in."""
