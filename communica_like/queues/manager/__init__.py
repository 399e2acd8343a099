"""Queues in a process: a host holds them, any number of processes use them.

How an item travels. ``ManagerQueue`` (manager_queue) is what users have. It opens a ``RemoteQueue`` (remote)
when it is first used: a ``HostClient`` (client) at a host of ours, or an ``IpcqClient`` (ipcq_client)
at another program's manager. At the host, a ``QueueHost`` (host) runs a ``QueueServer`` (server), which lets
connections in by multiprocessing's protocol (``communica_like.managers``). From then on a connection of ours
carries the frames of protocol, over a ``FramedSocket`` (framed_socket) at either end, and no pickles of the
library's. One thread of the host, its ``ServerLoop`` (server_loop), reads all of them. A ``QueueService``
(service) turns a connection's frames into calls on its ``HostedQueue`` (hosted_queue). A program that uses
ipcq has a thread of the host for each of its own; the ``IpcqProxy`` (ipcq_proxy) there makes its calls
through the loop's thread, too. So a queue needs no lock.

A get sends GET under a number of its own. The host answers with the item, which is leased until the client
says ACK. The client says so in the very step in which ``get`` returns, when nothing is left to be sent
before it. BACK under that number, or the end of the connection, puts the item in its place, whether it has
reached the client or not. A put sends its item with PUT, and COMMIT when the host has answered that there is
room; or POST alone into a queue without a limit.

A client has one socket and no thread. While a task waits, its event loop watches the socket; a call that
blocks reads the socket itself, under one lock, and passes on what is for others.

The host works in rounds. In each it reads every connection to the end of what is there, those that have ended
first. What clients state takes effect as it is heard. What they ask is answered in the next round. So
everything that was said before the question is heard before the answer is given: that is why Empty and Full
are true, and why an item that a killed reader held comes before those behind it.

What must not happen here: a call of the host's thread that waits; a frame that changes a queue behind one
that is not sent yet; a pickle loaded in the host's thread.
"""
