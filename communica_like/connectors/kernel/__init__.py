"""Links over POSIX and System V message queues, and over named pipes.

None of these media has connections: a queue is one-way, and every process that knows its name shares it. So
a connector makes connections of them, by a *rendezvous*:

1. A server takes the lock of its address (``system.AddressLock``) and creates one queue, the *rendezvous
   queue*, under the name or key of its connector (``connector``).
2. A client looks up who holds the lock. If no live process does, the address is refused. Otherwise it makes
   a *pair*: one queue for each direction, under random names and open to its user alone. It puts a connect
   request with the names of the pair, the *endpoints*, into the rendezvous queue (``rendezvous``).
3. The server opens the pair. From now on each side has one end of a link, which owns that side of the pair.

Each medium has one file, with its connector, its pair and its link: ``posixmq``, ``sysv`` and ``fifo``. Links
over message queues share ``message_link``: a message is a piece of the stream, and an empty one its end. The
pipes of ``fifo_pipes`` serve ``sysv`` too, for notifications. A named pipe is a pipe once it is open, so its
link is a ``links.pipe.PipeLink``.

Kernel objects outlive processes. Therefore each name is registered (``system.register``) before the object
is made and removed after it; what a killed process leaves is removed by the next one that connects or
listens. The names of POSIX queues and pipes are removed as soon as both sides have them open, so nothing is
left of an established link however its processes end. Both sides watch each other's process
(``links.peer_process``).

Nothing here may block the event loop or trust a connect request: every process of the user can put anything
into the rendezvous queue. One bad request must not stop the listener.
"""
