"""Faults: ways in which a stream goes wrong. A right client says so, in bounded time."""
