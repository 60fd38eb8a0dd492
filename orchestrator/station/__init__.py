"""The service that owns the cables of one computer."""
