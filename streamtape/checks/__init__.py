"""Oracles: is a client right under every delivery? Each check raises `CheckFailed` where not."""
