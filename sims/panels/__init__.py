"""What each simulated instrument shows to the wire."""
