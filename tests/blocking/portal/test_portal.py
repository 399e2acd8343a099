"""The event loop of blocking programs: it starts when it is needed, ends when it is not, and never hangs."""

from __future__ import annotations

import asyncio
import contextvars
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from communica_like.blocking import Portal
from communica_like.blocking.portal.loop import portal_loop
from communica_like.blocking.portal.portal import shared_portal
from communica_like.exceptions import Closed
from tests.blocking.media import PATIENCE, until


def portal_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "communica_like portal"]


@pytest.fixture(autouse=True)
def _no_threads_are_left() -> Iterator[None]:
    assert portal_threads() == []
    yield
    assert portal_threads() == []


def in_thread(function: Callable[[], Any]) -> Callable[[], Any]:
    """Start it; the returned function waits for its result, or raises what it raised."""
    results: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as exc:
            errors.append(exc)

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> Any:
        thread.join(PATIENCE)
        assert not thread.is_alive()
        if errors:
            raise errors[0]
        return results[0]

    return result


async def answer() -> int:
    await asyncio.sleep(0)
    return 42


async def for_ever(begun: threading.Event) -> None:
    begun.set()
    await asyncio.get_running_loop().create_future()


def test_it_starts_with_the_first_user_and_ends_with_the_last() -> None:
    portal = Portal()
    assert portal_threads() == []
    first = portal.enter()
    second = portal.enter()
    assert len(portal_threads()) == 1
    assert repr(portal) == f"<Portal of process {os.getpid()}, 2 users>"
    portal.leave(first)
    assert portal.run(answer()) == 42
    portal.leave(second)
    assert portal_threads() == []


def test_it_may_be_used_again() -> None:
    portal = Portal()
    for _ in range(2):
        with portal:
            assert portal.run(answer()) == 42
            assert portal.call(threading.get_ident) == portal_threads()[0].ident
            assert portal.loop.is_running()


def test_the_shared_one_is_one() -> None:
    assert shared_portal() is shared_portal()
    assert Portal() is not shared_portal()


def test_a_call_without_users() -> None:
    portal = Portal()
    with pytest.raises(Closed, match="the portal is closed"):
        portal.run(answer())


class Odd(BaseException):
    """Not even an Exception."""


@pytest.mark.parametrize("error", [ValueError("its text"), Odd("its text")])
def test_exceptions_arrive(error: BaseException) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise error

    with Portal() as portal:
        with pytest.raises(type(error), match="its text"):
            portal.run(fail())
        assert portal.run(answer()) == 42


def test_exceptions_of_a_function_arrive() -> None:
    with Portal() as portal:
        with pytest.raises(ZeroDivisionError):
            portal.call(lambda: 1 // 0)


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")


def test_context_variables_travel() -> None:
    async def look() -> str:
        await asyncio.sleep(0)
        seen = variable.get()
        variable.set("changed")
        return seen

    with Portal() as portal:
        for text in ("one", "two"):
            variable.set(text)
            assert portal.run(look()) == text
            assert portal.call(variable.get) == text
            assert variable.get() == text


def test_fifty_threads() -> None:
    async def double(number: int) -> int:
        await asyncio.sleep(number % 3 / 1000)
        return 2 * number

    with Portal() as portal:

        def work(first: int) -> list[int]:
            return [portal.run(double(number)) for number in range(first, first + 20)]

        results = [in_thread(lambda first=first: work(first)) for first in range(50)]  # type: ignore[misc]
        for first, result in enumerate(results):
            assert result() == [2 * number for number in range(first, first + 20)]


def test_a_call_on_its_own_thread_is_an_error_at_once() -> None:
    async def run_within() -> int:
        return portal.run(answer())

    def leave_within() -> None:
        portal.leave(object())

    with Portal() as portal:
        for wrong in (lambda: portal.call(lambda: 1), portal.enter, leave_within):
            with pytest.raises(RuntimeError, match="would wait for itself"):
                portal.call(wrong)
        with pytest.raises(RuntimeError, match="would wait for itself"):
            portal.run(run_within())


def test_who_waits_when_it_ends_gets_closed() -> None:
    portal = Portal()
    user = portal.enter()
    waiting = []
    for _ in range(5):
        begun = threading.Event()
        waiting.append(in_thread(lambda begun=begun: portal.run(for_ever(begun))))  # type: ignore[misc]
        assert begun.wait(PATIENCE)
    portal.leave(user)
    for result in waiting:
        with pytest.raises(Closed):
            result()


def test_calls_in_a_race_with_its_end_never_hang() -> None:
    for _ in range(30):
        portal = Portal()
        user = portal.enter()
        begun = threading.Event()

        def work(portal: Portal = portal, begun: threading.Event = begun) -> int:
            count = 0
            while True:
                try:
                    portal.run(answer())
                except Closed:
                    return count
                count += 1
                begun.set()

        results = [in_thread(work) for _ in range(3)]
        assert begun.wait(PATIENCE)
        portal.leave(user)
        for result in results:
            result()


def test_a_thousand_starts_leave_nothing() -> None:
    portal = Portal()
    with portal:
        pass
    descriptors = len(os.listdir("/dev/fd"))
    threads = threading.active_count()
    for _ in range(1000):
        with portal:
            portal.call(lambda: None)
    assert len(os.listdir("/dev/fd")) <= descriptors
    assert threading.active_count() <= threads


def child_of(function: Callable[[], None]) -> int:
    """Run a function in a forked process; return its exit code. None of ours: 0 is success."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            function()
            code = 0
        finally:
            os._exit(code)
    deadline = time.monotonic() + PATIENCE
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            raise AssertionError("it hangs")
        time.sleep(0.005)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_gets_an_error_and_may_start_anew() -> None:
    def child() -> None:
        with pytest.raises(RuntimeError, match="before the process was forked"):
            portal.run(answer())
        with pytest.raises(RuntimeError, match="before the process was forked"):
            portal.enter()
        portal.leave(user)  # does nothing
        assert shared_portal() is not portal
        with shared_portal() as own:
            assert own.run(answer()) == 42

    portal = shared_portal()
    user = portal.enter()
    begun = threading.Event()
    waiting = in_thread(lambda: portal.run(for_ever(begun)))
    try:
        assert begun.wait(PATIENCE)
        for _ in range(5):
            assert child_of(child) == 0
        assert portal.run(answer()) == 42
    finally:
        portal.leave(user)
    with pytest.raises(Closed):
        waiting()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_in_the_middle_of_calls() -> None:
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            with shared_portal() as portal:
                portal.call(lambda: None)

    def child() -> None:
        with shared_portal() as own:
            assert own.run(answer()) == 42

    threads = [in_thread(work) for _ in range(3)]
    try:
        for _ in range(20):
            assert child_of(child) == 0
    finally:
        over.set()
    for thread in threads:
        thread()


def test_farewells_at_exit() -> None:
    program = """
from communica_like.blocking import Portal
portal = Portal()
first = portal.enter(lambda: print("never"))
portal.enter(lambda: 1 // 0)
portal.enter(lambda: print("farewell", portal.call(lambda: "from the loop")))
portal.leave(first)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout == "farewell from the loop\n"
    assert "closing at exit failed" in done.stderr
    assert "ZeroDivisionError" in done.stderr


EXITS = {
    "entered": "",
    "forked": "pid = os.fork()\nprint(os.waitpid(pid, 0)[1] if pid else 'child')",
    "forked and forgotten": "pid = os.fork()\ndel portal\ngc.collect()\n"
    "print(os.waitpid(pid, 0)[1] if pid else 'child')",
}


@pytest.mark.parametrize("program", EXITS.values(), ids=EXITS)
def test_a_portal_that_nobody_left_holds_no_exit_up(program: str) -> None:
    program = f"""
import gc, os
from communica_like.blocking.portal.portal import shared_portal
from communica_like.blocking.portal.loop import portal_loop
portal = shared_portal()
portal.enter()
portal.call(lambda: None)
{program}
"""
    # Python 3.12 and later warn of forks beside threads.
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout == ("child\n0\n" if "fork" in program else "")


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_what_a_coroutine_raises_ends_nobody_else(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise error

    async def fail_in_a_callback() -> None:
        raised.clear()
        asyncio.get_running_loop().call_soon(fail_now)
        await asyncio.sleep(0)

    def fail_now() -> None:
        raised.set()
        raise error

    raised, release = threading.Event(), asyncio.Event()
    with Portal() as portal:
        waiting = in_thread(lambda: portal.run(release.wait()))
        with pytest.raises(type(error)):
            portal.run(fail())
        portal.run(fail_in_a_callback())
        assert raised.wait(PATIENCE)
        assert portal.run(answer()) == 42
        portal.call(release.set)
        assert waiting() is True
    assert "on the portal's event loop, which continues" in caplog.text


def test_a_loop_that_was_asked_to_stop_stops() -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    loop = portal_loop(uvloop=False)
    try:
        loop.call_soon(loop.stop)
        loop.call_soon(fail)
        loop.run_forever()
        loop.call_soon(loop.stop)
        loop.run_forever()  # again
    finally:
        loop.close()


def test_uvloop_has_to_be_installed_if_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    from communica_like.exceptions import FeatureNotAvailable

    with pytest.raises(FeatureNotAvailable, match=r"pip install 'uvloop.* the extra \[uvloop\]"):
        Portal(uvloop=True)


def test_a_user_that_comes_while_another_leaves() -> None:
    portal = Portal()

    def work() -> None:
        for _ in range(50):
            with portal:
                assert portal.run(answer()) == 42

    for result in [in_thread(work) for _ in range(4)]:
        result()
    until(lambda: not portal_threads(), "the loop ended")
