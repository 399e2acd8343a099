"""The portal: one event loop in a thread of its own, and how other threads call into it.

A blocking call takes this way. The calling thread makes a ``Call`` (call.py) and hands it to the ``Portal``
(portal.py), which wakes its loop once for all calls that wait for it. The loop's thread makes the coroutine,
runs it as a task, and releases the lock that the calling thread waits on. anyio's BlockingPortal starts and
ends the loop; the calls themselves go past it, because a hop through its task group costs twice as much.

Interruptions need care, because Ctrl-C raises KeyboardInterrupt between any two bytecodes of the main thread:

- A call whose thread is interrupted cancels its coroutine and waits until that has ended. A result that comes
  nevertheless is handed to ``reclaim``, so that no item of a queue is lost.
- Entering and leaving a portal runs in a thread of its own (``uninterrupted``): it is done whole or not at
  all.
- A signal whose handler returns is noticed by ``SignalWatch``, for callers that promise to end then.

The loop (loop.py) survives KeyboardInterrupt and SystemExit of a coroutine: only the caller gets them. Users
are counted; the first starts the loop, and the last stops it. At exit, objects that are still open are closed
before the interpreter stops starting threads. A forked child has no portal until it enters one.

Nothing here knows what is being called: no entity, no queue.
"""
