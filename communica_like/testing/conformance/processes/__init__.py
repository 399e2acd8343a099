"""The checks with real processes: what they are made of, and what they are."""
