"""Bytes to events and back: pure, without a clock, without I/O, standard library only."""
