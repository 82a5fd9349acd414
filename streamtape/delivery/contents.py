"""Contents: the same stream with other text. A right client gives exactly that text."""
