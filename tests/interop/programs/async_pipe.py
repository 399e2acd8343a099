"""turberfield's queue for asyncio: ``python -m tests.interop.programs.async_pipe PATH``."""

import asyncio
import sys

from tests.interop.programs.answering import answer
from tests.interop.programs.turberfield_pipes import import_pipes

__all__: list[str] = []

if __name__ == "__main__":
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # it asks for the current loop while none runs
    with import_pipes().PipeQueue(sys.argv[1]) as pipe:
        answer(pipe, loop.run_until_complete)
    loop.close()
