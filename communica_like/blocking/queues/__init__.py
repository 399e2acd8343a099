"""What the blocking queues share; the classic APIs on top are posixmq, sysvmq, pipes and manager.

A blocking queue is a facade of an async queue of undecoded messages (raw.py). A get or put goes three steps,
each slower than the one before:

1. an attempt on the calling thread, through the ``_nowait`` method, which any thread may call;
2. a short spin (retry.py), if the last wait was short;
3. the async method, on the portal's loop, while the calling thread sleeps.

No interruption may lose an item. The medium's function written in C puts what it takes straight into a list
of the caller's; if Ctrl-C then ends the call, the message goes to the ``Stash``, from where the next ``get``
takes it first. ``close`` and exit put stashed messages back into the medium. Dumping and loading happen on
the calling thread, so that a slow or failing serializer is its caller's alone.

A forked child opens the medium anew at its first use, and leaves its parent's descriptors and loop alone.
``QueueError`` (errors.py) is what ipcqueue's users expect; its cause is the library's own exception.
"""
