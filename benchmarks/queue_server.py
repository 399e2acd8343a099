"""The echoing process: ``python -m benchmarks.queue_server MODULE:CLASS INCOMING OUTGOING``."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import closing

from benchmarks.queue_ends import find_kind

__all__: list[str] = []

PATIENCE = 3.0  # seconds for cleaning up


def _end_with_the_parent() -> None:
    sys.stdin.read()
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGTERM)  # which ends whatever it waits in
    time.sleep(PATIENCE)
    os._exit(1)


def main(path: str, incoming: str, outgoing: str) -> None:
    """Echo until standard input ends."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    kind = find_kind(path)
    with kind.hosting(incoming), closing(kind(incoming, outgoing)) as ends:
        threading.Thread(target=_end_with_the_parent, daemon=True).start()
        print("ready", flush=True)
        ends.echo()


if __name__ == "__main__":
    main(*sys.argv[1:])
