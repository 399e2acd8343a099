"""System V message queues, and how to wait for what no descriptor announces."""
