"""What the links of several connectors have in common.

A connector is a folder or file beside this one. The folders are independent of each other, so whatever two
of them share is here:

- ``stream``: StreamLink, a link that is an asyncio protocol over a transport. For TCP, Unix sockets, named
  pipes of Windows, and connections of a manager's server. The transport buffers, and says when to pause.
  StreamListener accepts such links at sockets.
- ``pipe``: PipeLink, a link over two bare descriptors that the event loop watches. For named pipes, and the
  stdin and stdout of a child process.
- ``send_buffer``: SendBuffer, which holds what a link has taken and its medium has not. Every link whose
  medium may be full keeps one, and derives ``Link.writable`` from it.
- ``peer_process``: PeerProcess, which reports the end of the other side's process. With it a link tells an
  orderly close from the death of a process, and breaks with PeerGone where the kernel can tell.

Links know their receiver, and nothing of sessions: bytes go in by ``send``, and come out by
``data_received``, cut anywhere. They belong to the event loop that they were made in.
"""
