"""Worker: a program that is given lines."""
