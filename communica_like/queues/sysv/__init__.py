"""System V message queues: sysvipc(7), msgop(2).

The kernel keeps the queue. It has no descriptor, so an event loop cannot poll it, and the kernel does not
tell when there is room again. This folder makes up for both.

``sysvmq`` has the queue: attempts that call msgsnd(2) and msgrcv(2) with IPC_NOWAIT. A refused ``put`` polls
with a growing interval, 3 ms at most. A refused ``get`` waits in ``type_waiters``, which has one fair wait
queue for each message type: first it spins for a fraction of a millisecond if items have been coming fast,
then a ``Watcher`` sleeps in msgrcv(2) in a thread of its own. The watcher receives with an empty buffer, so a
message wakes it and stays in the queue; the getter then makes its attempt in its own step. Getters of more
types than there are threads poll.

An empty message fits the empty buffer. The watcher cannot help removing it, so ``type_waiters`` keeps it for
the next getter of its type, and puts it back when the queue is closed.

Nothing here loads or dumps items in a thread, and a watcher touches nothing but its own handle of the queue.
"""
