"""Benches that try polyloop itself: they break it on purpose and count what went wrong."""
