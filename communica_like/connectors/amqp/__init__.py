"""Links over a RabbitMQ broker."""
