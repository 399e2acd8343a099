"""Sessions over links: the backend of all connectors but a shared inbox."""
