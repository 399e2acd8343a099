"""What several packages need besides asyncio.

- waiters.py: ``Waiters``, a fair wait queue. Callers of queues wait in it for items and room, those of
  sessions and inboxes for room in the outbox. A waiter tries for itself when it is notified, so that a
  cancelled one has taken nothing.
- timer.py: ``DeadlineTimer``, one timer for the earliest of many deadlines.
- eager.py: ``set_result_now`` sets a future's result and runs the next step of its task, without another
  turn of the loop. asyncio's eager tasks do the same for a first step.
- daemon_call.py: ``daemon_call`` runs a blocking call in a thread that holds up neither the loop nor the
  process.

All of these belong to the running event loop, and are called from its thread. Nothing here does I/O or
knows of messages. Only abc and exceptions are below this package.
"""
