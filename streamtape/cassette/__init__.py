"""Tapes on disk: vcrpy cassettes with a timeline."""
