"""``python -m communica_like.testing.conformance URL``: check a connector without a test framework.

Print a line for each check, and failures on stderr. The exit code is 1 if a check failed, 2 if the connector
cannot be checked.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
import traceback

from ...connectors import connector_from
from . import Check, MakeMeeting, Meeting, checks_for, meeting_of

_LIMIT, _HEAVY_LIMIT = 60.0, 600.0  # seconds for a check, and for a heavy one


def _maker(url: str, served: str | None) -> MakeMeeting:
    def make(authkey: bytes | None) -> Meeting:
        secrets = {} if authkey is None else {"authkey": authkey}
        if served is None:
            return meeting_of(connector_from(url, **secrets))
        client = connector_from(url, **secrets)
        return Meeting(connector_from(served, **secrets), lambda address: client, starts_server=True)

    return make


def _run(check: Check, make: MakeMeeting, limit: float) -> bool:
    """Run a check, print its outcome, and return it."""
    name = check.__name__.removeprefix("check_")
    began = time.monotonic()
    try:
        asyncio.run(asyncio.wait_for(check(make), limit))
    except Exception:
        print(f"FAILED {name}", flush=True)
        print(f"{name}: {' '.join((check.__doc__ or '').split())}", file=sys.stderr)
        traceback.print_exc()
        return False
    print(f"ok     {name} ({time.monotonic() - began:.1f} s)", flush=True)
    return True


def main(arguments: list[str] | None = None) -> int:
    """Check the connector that the arguments name, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m communica_like.testing.conformance",
        description="Check what a connector promises.",
    )
    parser.add_argument("url", help="a free address")
    parser.add_argument(
        "--starts-server",
        metavar="URL",
        help="the connector of the first URL starts the server, which serves this one",
    )
    parser.add_argument("--heavy", action="store_true", help="make the checks that take minutes, too")
    parser.add_argument("--only", action="append", metavar="NAME", help="make this check; again for more")
    options = parser.parse_args(arguments)
    # Failing handlers and breaking links are what the checks are about: no log.
    logging.getLogger("communica_like").setLevel(logging.CRITICAL)
    make = _maker(options.url, options.starts_server)
    try:
        meeting = make(None)
        limits = dict.fromkeys(checks_for(meeting), _LIMIT)
        if options.heavy:
            limits |= dict.fromkeys(checks_for(meeting, heavy=True), _HEAVY_LIMIT)
    except (ValueError, ImportError, TypeError) as exc:
        print(exc, file=sys.stderr)
        return 2
    chosen = [c for c in limits if not options.only or c.__name__.removeprefix("check_") in options.only]
    if not chosen:
        print("there is no such check for this connector", file=sys.stderr)
        return 2
    results = [_run(check, make, limits[check]) for check in chosen]
    print(f"{sum(results)} of {len(results)} checks are ok")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
