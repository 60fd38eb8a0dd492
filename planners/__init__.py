"""What to make next, and why."""
