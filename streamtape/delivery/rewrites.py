"""Rewrites: other wire forms with the same meaning. A right client gives an equal result."""
