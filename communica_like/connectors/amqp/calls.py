"""Calls of aiormq: their errors, and calls whose failure does not matter."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Iterator
from typing import Any

from ...exceptions import LinkError
from ...features import optional_package

logger = logging.getLogger("communica_like")


@contextlib.contextmanager
def translated_errors(text: str) -> Iterator[None]:
    """Raise LinkError, *text* and the reason, for aiormq's errors and TimeoutError."""
    aiormq = optional_package("aiormq", "rmq")
    pamqp = optional_package("pamqp.exceptions", "rmq")
    try:
        yield
    except TimeoutError as exc:
        raise LinkError(f"{text}: the broker does not answer") from exc
    except (OSError, aiormq.exceptions.AMQPError, pamqp.PAMQPException, RuntimeError) as exc:
        if isinstance(exc, LinkError) and exc.lasting:
            raise
        reason = " ".join(str(part) for part in exc.args) or type(exc).__name__
        raise LinkError(f"{text}: {reason}") from exc
    except asyncio.CancelledError as exc:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # This task was not cancelled: aiormq reports a lost connection so.
        raise LinkError(f"{text}: the connection to the broker broke") from exc


_running: set[asyncio.Future[Any]] = set()


async def best_effort(doing: Coroutine[Any, Any, Any], timeout: float) -> None:
    """Run *doing* with a timeout in seconds and ignore its failure.

    After the timeout, or a cancellation, *doing* goes on by itself. aiormq closes the channel of a call that
    is cancelled, and if that channel was closing already, the broker closes the connection, which others use.
    """
    task = asyncio.ensure_future(doing)
    _running.add(task)
    task.add_done_callback(_finished)
    await asyncio.wait([task], timeout=timeout)


def _finished(task: asyncio.Future[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.debug("error while closing a channel: %r", error)


async def ignore_message(message: Any) -> None:
    """Do nothing: a consumer's callback, to which AmqpProtocol lets no message pass."""
