"""What marks a secret in text, and how it is replaced. `streamtape.cassette.filters` applies it."""
