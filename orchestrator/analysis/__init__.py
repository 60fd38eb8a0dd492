"""Pure functions from documents to measurements."""
