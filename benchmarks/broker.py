"""``python -m benchmarks.broker``: the library at a RabbitMQ broker, beside a loop by hand, and others.

The broker is amqp://guest@127.0.0.1:5672/, or what COMMUNICA_LIKE_BENCH_BROKER says.
"""

from __future__ import annotations

import sys
from importlib import import_module

from benchmarks.contestants import AT_A_BROKER, CONTESTANTS
from benchmarks.run import main, tell

__all__: list[str] = []

WORKLOADS = ("sequential", "in_flight", "throws")


def _is_there(name: str) -> bool:
    try:
        import_module(CONTESTANTS[name].module)
    except ImportError as exc:
        tell(f"left out: {CONTESTANTS[name].title}: {exc}")
        return False
    return True


if __name__ == "__main__":
    names = [name for name in AT_A_BROKER if _is_there(name)]
    sys.exit(main("python -m benchmarks.broker", __doc__, names, WORKLOADS))
