"""Links over the kernel's message queues and named pipes."""
