"""Worker: an external program that exchanges lines of text, as in simple-ipc.

``Worker`` (worker.py) is the blocking facade; ``LineWorker`` (line_worker.py) does the work on the portal's
loop, with one ``ProcessLines`` queue for each start of the program. A line that the program writes to stdout
becomes ``data``, and the argument of the callback. The callback runs in the worker's only thread, one line at
a time, so lines keep their order; while it runs, the queue stops reading, and the pipe's capacity holds the
program back.

``send`` puts a line into the same queue, from any thread. ``stop`` ends the program and everything in its
process group before it returns. Neither file knows how a child process is started or killed: that is
ProcessLines' and communica_like.system's.
"""
