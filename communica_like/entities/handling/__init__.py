"""Handlers: what they are, how they run, and what becomes of their results."""
