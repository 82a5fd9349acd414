"""Hypothesis strategies for deliveries, streams and what goes wrong with them."""
