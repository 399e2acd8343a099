"""What the blocking queues share."""
