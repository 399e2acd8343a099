"""A child process that is talked to in lines."""
