"""Named pipes as queues: fifo(7), pipe(7). An item is a line of text.

``pipe_queue`` has the queue. It keeps both ends of the pipe open (``descriptors``), so that the pipe neither
ends nor loses its content while a queue is open. A line of up to PIPE_BUF bytes is written by one write(2),
which is atomic: several processes may put at once.

To read is harder, because read(2) does not stop at a line's end, and what one process has read no other
process gets. On Linux a getter takes a lock, flock(2), on the pipe; copies what is in the pipe with tee(2),
which removes nothing; finds the first line's end; and reads exactly that line. So several processes may get,
and a getter that is killed has removed one whole line or none. Lines longer than PIPE_BUF come from other
programs; they are collected in parts, and then only one process may read. On systems without tee(2) the queue
reads ahead, and ``guarantees`` say that there may be one reader.

The event loop polls both descriptors. A pipe is readable when anything is in it, and writable when PIPE_BUF
bytes fit. All attempts run under one lock, since other threads may call the ``_nowait`` methods, and
``close`` must not free a descriptor in use.
"""
