"""``python -m benchmarks.connectors``: the library over each connector, beside the limit of a Unix socket."""

from __future__ import annotations

import sys

from benchmarks.contestants import CONTESTANTS, OVER_CONNECTORS
from benchmarks.run import main, tell
from communica_like import connector_from
from communica_like.exceptions import FeatureNotAvailable

__all__: list[str] = []

WORKLOADS = ("sequential", "in_flight", "throws")


def _is_there(name: str) -> bool:
    try:
        connector_from(CONTESTANTS[name].new_address(name, "/tmp"))
    except (ValueError, FeatureNotAvailable) as exc:
        tell(f"left out: {CONTESTANTS[name].title}: {exc}")
        return False
    return True


if __name__ == "__main__":
    names = [name for name in OVER_CONNECTORS if CONTESTANTS[name].is_limit or _is_there(name)]
    sys.exit(main("python -m benchmarks.connectors", __doc__, names, WORKLOADS))
