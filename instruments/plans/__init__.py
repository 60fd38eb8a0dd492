"""Bluesky plans: what devices do together, once."""
