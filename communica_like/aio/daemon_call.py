"""daemon_call: a blocking call in a thread that can be abandoned."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def daemon_call(call: Callable[[], T], dispose: Callable[[T], object]) -> T:
    """Run *call* in a thread of its own, and return what it returns, or raise what it raises.

    Unlike ``asyncio.to_thread`` it holds up neither the end of the event loop nor that of the process.

    Args:
        call: blocks; if this is cancelled, it goes on.
        dispose: called with its result, maybe in that thread, if the caller has stopped waiting.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            if error is None:
                dispose(result)  # type: ignore[arg-type]
        elif error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = call()
        except BaseException as exc:
            error = exc
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:  # the loop is closed
            if error is None:
                dispose(result)  # type: ignore[arg-type]

    threading.Thread(target=run, name="communica_like call", daemon=True).start()
    try:
        return await done
    except asyncio.CancelledError:
        if done.done() and not done.cancelled() and done.exception() is None:
            dispose(done.result())  # it came just before the cancellation
        raise
