"""Links over streams and pipes, which several connectors share."""
