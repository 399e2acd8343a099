"""An interrupted wait is not shown as a failure of the first attempt's handling."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from communica_like.blocking import Portal
from communica_like.blocking.manager import QueueManagerClient, QueueManagerServer
from tests.blocking.media import MEDIA, opened


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def check(action: Callable[[], object]) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        action()
    assert caught.value.__context__ is None


def fill(action: Callable[[], object]) -> None:
    with pytest.raises(queue.Full):
        while True:
            action()


@pytest.fixture(params=[*MEDIA, "manager"])
def medium(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "manager":
        with QueueManagerServer(f"{tmp_path}/s", b"key") as server:
            with QueueManagerClient(server.address, b"key") as client:
                yield client.get_queue("q", max_items=1)
        return
    with MEDIA[request.param]() as name, opened(name) as both:
        yield both


def test_ctrl_c_has_no_context(medium: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Portal, "run_made", interrupt)
    check(medium.get)
    fill(lambda: medium.put_nowait("x" * 500))
    check(lambda: medium.put("x" * 500))
