"""Lines in a named pipe."""
