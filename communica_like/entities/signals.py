"""SIGINT and SIGTERM, while entities run."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

__all__ = ["stop_signals"]

_NUMBERS: Final = (signal.SIGINT, signal.SIGTERM)

# Who listens, by event loop: two entities that run side by side both stop.
_listening: dict[asyncio.AbstractEventLoop, list[Callable[[], None]]] = {}
_former: dict[asyncio.AbstractEventLoop, dict[signal.Signals, Any]] = {}


@contextlib.contextmanager
def stop_signals(on_signal: Callable[[], None]) -> Iterator[None]:
    """Call *on_signal* on the event loop for each SIGINT and SIGTERM, until the block ends.

    Only the main thread can; elsewhere it does nothing. The handlers of signal.signal() that were there
    before come back when the last block ends.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    callbacks = _listening.setdefault(loop, [])
    if not callbacks:
        _former[loop] = _install(loop)
    callbacks.append(on_signal)
    try:
        yield
    finally:
        callbacks.remove(on_signal)
        if not callbacks:
            del _listening[loop]
            _restore(loop, _former.pop(loop))


def _install(loop: asyncio.AbstractEventLoop) -> dict[signal.Signals, Any]:
    former = {number: signal.getsignal(number) for number in _NUMBERS}
    for number in _NUMBERS:
        if sys.platform == "win32":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(_tell, loop))
        else:
            loop.add_signal_handler(number, _tell, loop)
    return former


def _restore(loop: asyncio.AbstractEventLoop, former: dict[signal.Signals, Any]) -> None:
    for number in _NUMBERS:
        if sys.platform != "win32":
            loop.remove_signal_handler(number)
        if former[number] is not None:  # None: not installed from Python
            signal.signal(number, former[number])


def _tell(loop: asyncio.AbstractEventLoop) -> None:
    for callback in list(_listening.get(loop, ())):
        callback()
