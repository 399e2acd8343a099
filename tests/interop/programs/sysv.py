"""ipcqueue's System V queue: ``python -m tests.interop.programs.sysv KEY [MAX_BYTES]``."""

import sys
from importlib import import_module

from tests.interop.programs.answering import answer

__all__: list[str] = []

if __name__ == "__main__":
    sysvmq = import_module("ipcqueue.sysvmq")
    answer(sysvmq.Queue(*map(int, sys.argv[1:])))
