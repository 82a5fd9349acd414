"""What recording, keeping and replaying a stream costs, side by side with others, in one run."""
