"""Blocking queues are iterated over as the async ones are."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from communica_like.blocking.manager import QueueManagerServer
from communica_like.blocking.pipes import PipeQueue, SimplePipeQueue
from communica_like.blocking.posixmq import QueueError
from tests.blocking.media import MEDIA, opened


@pytest.fixture(params=[*MEDIA, "manager"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "manager":
        with QueueManagerServer(str(tmp_path / "socket"), b"key") as server:
            yield server.get_queue()
    else:
        with MEDIA[request.param]() as name, opened(name) as queue:
            yield queue


def test_items_in_order_until_the_queue_is_closed_by_another_thread(source: Any) -> None:
    for item in range(3):
        source.put(item)
    got = []
    for item in source:
        got.append(item)
        if item == 2:  # the next one waits
            threading.Timer(0.1, _close, [source]).start()
    assert got == [0, 1, 2]
    assert list(source) == []


def _close(source: Any) -> None:
    source.close(**({"remove": False} if hasattr(source, "key") else {}))


def test_ctrl_c_ends_it_and_loses_nothing(source: Any) -> None:
    main = threading.main_thread().ident
    assert main is not None
    with pytest.raises(KeyboardInterrupt):
        threading.Timer(0.2, signal.pthread_kill, [main, signal.SIGINT]).start()
        list(source)
    source.put("next")
    assert next(source) == "next"


@pytest.mark.parametrize("kind", ["posix", "sysv"])
def test_what_goes_wrong_is_a_queue_error(kind: str) -> None:
    former = signal.signal(signal.SIGALRM, lambda *_: None)
    try:
        with MEDIA[kind]() as name, opened(name) as queue:
            signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)  # again, if it did not wait yet
            with pytest.raises(QueueError) as caught:
                next(queue)
            assert caught.value.errno == QueueError.INTERRUPTED
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def test_the_pipe_for_asyncio_is_iterated_over_by_asyncio(tmp_path: Path) -> None:
    async def main() -> list[Any]:
        got = []
        with PipeQueue(tmp_path / "pipe") as pipe:
            with pytest.raises(TypeError):
                iter(pipe)  # type: ignore[call-overload]
            for item in range(3):
                await pipe.put(item)
            async for item in pipe:
                got.append(item)
                if item == 2:
                    asyncio.get_running_loop().call_later(0.1, pipe.close)
        return got

    assert asyncio.run(main()) == [0, 1, 2]
    assert not hasattr(SimplePipeQueue(os.fspath(tmp_path)), "__aiter__")
