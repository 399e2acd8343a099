"""The lines of a child process as a queue: put writes to its stdin, get reads from its stdout.

``process_lines`` has the queue and its contract: lines are text, ``start`` and ``stop``. ``child`` holds a
started ``system.ChildProcess``, decides which errors its two pipes stand for, and notifies waiters. It writes
to stdin while there is room, and reads stdout in the background up to a bound, so that the child is slowed
down by a full pipe when nothing takes its lines.

An end of a pipe and the end of the child are two events, in any order. Most often a pipe ends because the
child did, and its exit code is worth waiting for: callers learn of the end when the child has ended, or one
second after the pipe, when the child is assumed to go on without it. Lines that came before are read in any
case.

All of it belongs to one event loop, and nothing here blocks except ``close``, for 0.1 s at most. Signals,
process groups and the end of the loop are ``system.child_process``'s business; connectors over stdio share
it.
"""
