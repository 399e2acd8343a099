"""A shared inbox at a RabbitMQ broker: its two ends."""
