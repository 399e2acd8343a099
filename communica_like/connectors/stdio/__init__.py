"""Links over the stdin and stdout of a child process.

A client starts its server as a child (``connector``, ``child_link``). In the child, StdioConnector() takes
over stdin and stdout (``parent_link``): the link gets copies of the descriptors, and everything else that
reads or writes the standard ones gets the null device and stderr. So prints cannot damage the stream.

1. The client starts the command, in a session and process group of its own (``system.child_process``), and
   sends at once.
2. Whatever came out of the child's stdout before its server started is no part of the stream. The server
   begins with an opening sequence, and the client discards what comes before it (``preface``). A program
   without such a server is recognized by what it writes instead, or by echoing what it is sent.
3. From then on both ends are a ``links.pipe.PipeLink``. There is one link per child, and one per process
   that serves: a session ends with its link.

Each side ends with the other one. When the client closes, stdin ends; the child gets its time, then
SIGTERM, then SIGKILL, and is always reaped. When the child ends by itself, the client reports its exit code
and the end of its stderr. When the client's process dies, even by SIGKILL, a thread of the child notices it
and ends the child, however busy its event loop is (``watchdog``).

POSIX only. Nothing here may write to fd 1, or leave a process of the child's group behind.
"""
