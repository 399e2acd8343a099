"""The adaptor: blocking methods are those of the async class, and cost no threads where none are needed."""

from __future__ import annotations

import asyncio
import inspect
import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from communica_like.blocking import Portal
from communica_like.blocking.facade import Adapted, Attribute, awaited, called
from communica_like.blocking.portal.portal import shared_portal
from communica_like.blocking.queues.retry import Spin, refused
from tests.blocking.media import PATIENCE


class Box:
    """An async class: one place for an item."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.threads: list[str] = []
        self.came: asyncio.Event | None = None

    @property
    def size(self) -> int:
        """How many."""
        return len(self.items)

    async def get(self, *, timeout: float | None = None) -> Any:
        """Its docstring."""
        self.threads.append(threading.current_thread().name)
        try:
            async with asyncio.timeout(timeout):
                while not self.items:
                    self.came = asyncio.Event()
                    await self.came.wait()
        except TimeoutError:
            raise queue.Empty from None
        return self.items.pop()

    def take_nowait(self, box: list[Any]) -> None:
        if not self.items:
            raise queue.Empty
        box.append(self.items.pop())

    async def echo(self, first: int, *, second: str = "x") -> tuple[int, str]:
        """Give it back."""
        return first, second

    def where(self) -> str:
        return threading.current_thread().name


class Blocking(Adapted[Box]):
    def __init__(self, portal: Portal | None = None) -> None:
        super().__init__(Box(), portal)
        self.spin = Spin()

    size = Attribute(Box.size)
    echo = awaited(Box.echo)
    where = called(Box.where)
    _take = refused(Box.get, Box.take_nowait, queue.Empty)

    def take(self, timeout: float | None) -> Any:
        box: list[Any] = []
        self._take(timeout, self.spin, box)
        return box[0]

    def entered(self) -> Portal | None:
        return self._portal

    def put(self, item: Any) -> None:
        self._core.items.append(item)
        if self._core.came is not None:
            assert self._portal is not None
            self._portal.call(self._core.came.set)


@pytest.fixture
def blocking() -> Iterator[Blocking]:
    blocking = Blocking()
    yield blocking
    blocking._leave()
    assert not [thread for thread in threading.enumerate() if thread.name == "communica_like portal"]


def test_names_signatures_and_docstrings_are_the_async_ones() -> None:
    assert Blocking.echo.__name__ == "echo"
    assert Blocking.echo.__doc__ == "Give it back."
    assert str(inspect.signature(Blocking.echo)) == str(inspect.signature(Box.echo))
    assert Blocking.__dict__["size"].__doc__ == "How many."
    assert isinstance(Blocking.size, Attribute)


def test_arguments_and_results(blocking: Blocking) -> None:
    assert blocking.echo(1) == (1, "x")
    assert blocking.echo(2, second="y") == (2, "y")
    assert blocking.size == 0
    with pytest.raises(AttributeError, match="size of Blocking"):
        blocking.size = 1  # type: ignore[assignment]
    assert blocking.size == 0
    with pytest.raises(TypeError):
        blocking.echo()  # type: ignore[call-arg]


def test_the_portal_is_entered_at_the_first_need_and_left_once(blocking: Blocking) -> None:
    assert blocking.entered() is None
    assert blocking.where() == threading.current_thread().name
    blocking.echo(1)
    assert blocking.entered() is shared_portal()
    assert blocking.where() == "communica_like portal"
    blocking._leave()
    blocking._leave()
    assert blocking.entered() is None


def test_a_portal_of_its_own() -> None:
    with Portal() as portal:
        blocking = Blocking(portal)
        blocking.echo(1)
        assert blocking._portal is portal
        blocking._leave()
        assert portal.call(lambda: 1) == 1


def test_what_is_there_needs_no_portal(blocking: Blocking) -> None:
    blocking.put("item")
    assert blocking.take(None) == "item"
    assert blocking._portal is None
    with pytest.raises(queue.Empty):
        blocking.take(0)
    with pytest.raises(queue.Empty):
        blocking.take(-1)
    assert blocking._portal is None


def test_waiting_is_the_portals(blocking: Blocking) -> None:
    with pytest.raises(queue.Empty):
        blocking.take(0.01)
    timer = threading.Timer(0.02, lambda: blocking.put("item"))
    timer.start()
    assert blocking.take(PATIENCE) == "item"
    timer.join()
    assert blocking._core.threads == ["communica_like portal"] * 2


def test_many_threads_enter_it_once() -> None:
    blocking = Blocking()
    start = threading.Barrier(20)

    def work() -> None:
        start.wait()
        assert blocking.echo(5) == (5, "x")

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "1 users" in repr(shared_portal())
    blocking._leave()


def test_patience_looks_again_only_after_quick_successes() -> None:
    spin = Spin()
    looks = 0

    def attempt() -> None:
        nonlocal looks
        looks += 1
        raise queue.Empty

    assert not spin.spin(attempt, queue.Empty, None)
    assert looks >= 1
    spin.waited(0.1)
    looks = 0
    assert not spin.spin(attempt, queue.Empty, None)
    assert looks == 0
    spin.waited(0.0001)
    assert spin.spin(lambda: None, queue.Empty, None)
    with pytest.raises(ZeroDivisionError):
        spin.spin(lambda: 1 // 0, queue.Empty, None)
