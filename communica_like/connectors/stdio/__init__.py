"""Links over the stdin and stdout of a child process."""
