"""``python -m benchmarks``: the library beside the raw limit, over one kind of socket."""

from __future__ import annotations

import sys

from benchmarks.contestants import OVER_SOCKETS
from benchmarks.run import main
from benchmarks.workloads import WORKLOADS

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main("python -m benchmarks", __doc__, OVER_SOCKETS, list(WORKLOADS)))
