"""The only place where Prefect is imported."""
