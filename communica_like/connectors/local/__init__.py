"""Links between processes of one user: Unix sockets, and named pipes on Windows.

``connector`` holds LocalConnector, which chooses the module by the system. Each of them has three
functions, to connect, to listen, and to find the path of a name:

- ``unix``: Unix sockets, unix(7). ``system.socket_file`` owns the path while it is served: a lock beside
  the socket tells a live server from the file of a dead one, so a stale socket is replaced and a live one
  never. Both sides ask the kernel for the credentials of the other one, and refuse other users.
- ``named_pipe``: the proactor event loop's named pipes, for Windows.

A connection is a ``links.stream.StreamLink``. When the other side breaks it, ``unix`` waits for a moment to
see whether its process ends, so that the session learns of a death at once.

The socket is a file of mode 0600 in the private directory (``system.state_directory``), or at a path that
the user gives. A plain name cannot leave that directory. Nothing here may remove a socket that a live
process serves, whatever the file looks like.
"""
