"""A server process that its client starts: ``python -m benchmarks.stdio_server CONTESTANT PROCESSOR``."""

from __future__ import annotations

import asyncio
import sys

from benchmarks.contestants import CONTESTANTS
from benchmarks.library import serve
from benchmarks.processors import keep_to

__all__: list[str] = []

if __name__ == "__main__":
    keep_to(int(sys.argv[2]))  # not where the client is, which this inherited
    asyncio.run(serve("stdio://-", CONTESTANTS[sys.argv[1]].new_handler()).run())
