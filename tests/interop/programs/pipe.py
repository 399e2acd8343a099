"""turberfield's queue for code that blocks: ``python -m tests.interop.programs.pipe PATH HISTORY``."""

import sys

from tests.interop.programs.answering import answer
from tests.interop.programs.turberfield_pipes import import_pipes

__all__: list[str] = []

if __name__ == "__main__":
    with import_pipes().SimplePipeQueue(sys.argv[1], history=sys.argv[2] == "True") as pipe:
        answer(pipe)
