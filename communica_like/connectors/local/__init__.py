"""Links between processes of one machine, over Unix sockets and Windows named pipes."""
