"""The event loop in its thread, and one call through it."""
