"""ipcqueue's POSIX queue: ``python -m tests.interop.programs.posix NAME [MAXSIZE [MAXMSGSIZE]]``."""

import sys
from importlib import import_module

from tests.interop.programs.answering import answer

__all__: list[str] = []

if __name__ == "__main__":
    posixmq = import_module("ipcqueue.posixmq")
    answer(posixmq.Queue(sys.argv[1], *map(int, sys.argv[2:])))
