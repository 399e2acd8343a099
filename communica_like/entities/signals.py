"""SIGINT and SIGTERM, while entities run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

_NUMBERS: Final = (signal.SIGINT, signal.SIGTERM)

# By event loop: two entities that run side by side both stop.
_listening: dict[asyncio.AbstractEventLoop, list[Callable[[], None]]] = {}
_former: dict[asyncio.AbstractEventLoop, dict[signal.Signals, Any]] = {}


@contextlib.contextmanager
def stop_signals(on_signal: Callable[[], None]) -> Iterator[None]:
    """Call *on_signal* on the event loop for each SIGINT and SIGTERM, until the block ends.

    This works in the main thread only; elsewhere it does nothing. The former handlers of signal.signal()
    come back when the last block ends.
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


# A forked child is no server. Without this, a signal would not end the child; before Python 3.12 it would
# stop the parent, whose wakeup socket the child shares.

_mask = threading.local()  # as it was before the fork


def _before_fork() -> None:
    # A signal that comes between the fork and _in_child() waits.
    _mask.former = signal.pthread_sigmask(signal.SIG_BLOCK, _NUMBERS if _former else ())


def _in_parent() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _mask.former)


def _in_child() -> None:
    if _former:
        former = next(iter(_former.values()))
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, former[signal.SIGTERM] or signal.SIG_DFL)
        _listening.clear()
        _former.clear()
    _in_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
