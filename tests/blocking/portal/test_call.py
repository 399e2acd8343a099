"""One blocking call that is interrupted, given up or late."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from communica_like.blocking import Portal
from communica_like.blocking.portal import call
from communica_like.blocking.portal.call import Call
from communica_like.exceptions import Closed
from tests.blocking.media import PATIENCE, until


class Interruption(BaseException):
    """What the handler of a signal raises."""


@pytest.fixture
def portal() -> Iterator[Portal]:
    with Portal() as portal:
        yield portal


@pytest.fixture
def _alarm() -> Iterator[None]:
    def interrupt(*_: object) -> None:
        raise Interruption

    former = signal.signal(signal.SIGUSR1, interrupt)
    yield
    signal.signal(signal.SIGUSR1, former)


def interrupt_main(number: int = signal.SIGUSR1) -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, number)


def interrupt_waiting_main(number: int = signal.SIGUSR1) -> None:
    """Interrupt the main thread as soon as it waits for the portal."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    if frame is not None and frame.f_code.co_filename == call.__file__:
        interrupt_main(number)
    else:
        asyncio.get_running_loop().call_later(0.001, interrupt_waiting_main, number)


@pytest.mark.usefixtures("_alarm")
def test_an_interruption_cancels_the_coroutine_and_waits_for_its_end(portal: Portal) -> None:
    seen = []

    async def wait() -> None:
        interrupt_waiting_main()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0.01)  # its end takes a while
            seen.append("ended")

    with pytest.raises(Interruption):
        portal.run(wait())
    assert seen == ["ended"]


@pytest.mark.usefixtures("_alarm")
def test_a_result_that_came_too_late_is_reclaimed_once(portal: Portal) -> None:
    reclaimed: list[str] = []

    async def stubborn() -> str:
        interrupt_waiting_main()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            pass
        return "taken"

    with pytest.raises(Interruption):
        portal.run(stubborn(), reclaimed.append)
    assert reclaimed == ["taken"]


@pytest.mark.usefixtures("_alarm")
def test_a_loop_that_is_held_up_holds_an_interruption_up_for_seconds_at_most(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("communica_like.blocking.portal.call._CANCEL_TIMEOUT", 0.05)
    reclaimed: list[str] = []
    go_on = threading.Event()

    async def hold_up() -> str:
        interrupt_main()
        go_on.wait(PATIENCE)
        return "late"

    with pytest.raises(Interruption):
        portal.run(hold_up(), reclaimed.append)
    assert reclaimed == []
    go_on.set()
    until(lambda: reclaimed == ["late"], "its late result is reclaimed")


@pytest.mark.usefixtures("_alarm")
def test_a_second_interruption_while_the_first_is_seen_to(portal: Portal) -> None:
    async def wait() -> None:
        interrupt_waiting_main()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            interrupt_waiting_main()
            await asyncio.sleep(0.05)  # its end takes a while

    with pytest.raises(Interruption):
        portal.run(wait())
    assert portal.call(lambda: 1) == 1


def test_keyboard_interrupt_of_the_main_thread(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "_CANCEL_TIMEOUT", 2 * PATIENCE)

    async def wait() -> None:
        interrupt_waiting_main(signal.SIGINT)
        await asyncio.get_running_loop().create_future()

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        portal.run(wait())
    assert time.monotonic() - began < PATIENCE, "nothing was waited for in vain"


@pytest.mark.usefixtures("_alarm")
def test_an_interruption_before_it_has_begun(portal: Portal) -> None:
    """Here, too, nobody is left waiting for a wake-up of the loop."""
    begun = False

    async def wait() -> None:
        nonlocal begun
        begun = True

    original = portal.loop.call_soon_threadsafe

    def interrupted(*arguments: Any) -> None:
        setattr(portal.loop, "call_soon_threadsafe", original)  # noqa: B010
        raise Interruption

    setattr(portal.loop, "call_soon_threadsafe", interrupted)  # noqa: B010
    with pytest.raises(Interruption):
        portal.run(wait())
    assert not begun
    assert portal.call(lambda: 1) == 1


def test_a_call_that_is_given_up_before_it_begins() -> None:
    async def never() -> None:
        raise AssertionError

    call: Call[None] = Call(never)
    call.give_up()
    call.wait()
    assert isinstance(call.error, Closed)
    call.give_up()  # does nothing


def test_a_coroutine_that_cannot_be_made(portal: Portal) -> None:
    async def two(first: int, second: int) -> None: ...

    with pytest.raises(TypeError, match="missing 2"):
        portal.run_made(two)  # type: ignore[arg-type]
    assert portal.call(lambda: 1) == 1
