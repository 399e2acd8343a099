"""The portal's event loop, which survives KeyboardInterrupt and SystemExit of one coroutine."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

from ...features import optional_package

logger = logging.getLogger("communica_like")


class _Lasting(asyncio.AbstractEventLoop):
    """An event loop that continues after KeyboardInterrupt and SystemExit, which end other loops.

    No signal reaches the portal's thread, so these are not the user's wish to end the program but what one
    handler or coroutine raised: its own caller gets the exception, and all others continue.
    """

    _asked_to_stop = False

    def run_forever(self) -> None:
        self._asked_to_stop = False
        over = False
        while not over:
            try:
                super().run_forever()
                over = True
            except (KeyboardInterrupt, SystemExit) as exc:
                logger.error("%r was raised on the portal's event loop, which continues", exc, exc_info=exc)
                over = self._asked_to_stop

    def stop(self) -> None:
        self._asked_to_stop = True
        super().stop()


def portal_loop(uvloop: bool) -> asyncio.AbstractEventLoop:
    """Return a new event loop: asyncio's, or uvloop's.

    Raises:
        FeatureNotAvailable: uvloop is not installed.
    """
    base: Any
    if uvloop:
        base = optional_package("uvloop", "uvloop").Loop
    elif sys.platform == "win32":
        base = asyncio.ProactorEventLoop
    else:
        base = asyncio.SelectorEventLoop
    loop: asyncio.AbstractEventLoop = type("_PortalLoop", (_Lasting, base), {})()
    return loop
