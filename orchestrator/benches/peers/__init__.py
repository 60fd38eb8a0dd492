"""Other people's planners, each behind a pipe in an environment of its own."""
