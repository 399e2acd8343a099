"""Results reach the tasks that wait for them at once, and in every other case too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from communica_like.entities.connection.calls import set_results_now
from communica_like.session import Event
from communica_like.session.events import RESULT

variable = ContextVar("variable", default="unset")
Future = asyncio.Future[Any]


async def outside_of_tasks(act: Callable[[], None]) -> None:
    """Call *act* as the event loop does, and raise what it raises."""
    done: Future = asyncio.get_running_loop().create_future()

    def call() -> None:
        try:
            act()
        except BaseException as exc:
            done.set_exception(RuntimeError(repr(exc)))
        else:
            done.set_result(None)

    asyncio.get_running_loop().call_soon(call)
    await done


def events(*results: tuple[Future, int]) -> list[Event]:
    return [(RESULT, future, 0, b"", result) for future, result in results]  # type: ignore[misc]


def futures(count: int) -> list[Future]:
    return [asyncio.get_running_loop().create_future() for _ in range(count)]


async def waiting(
    future: Future, got: list[Any], then: Callable[[], object] = lambda: None
) -> asyncio.Task[Any]:
    """A task that waits for *future*, and has come that far."""

    async def wait() -> None:
        got.append((await future, asyncio.current_task() is task, variable.get()))
        then()

    variable.set(f"task {len(got)}")
    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    return task


async def test_tasks_go_on_at_once_in_order_and_in_their_own_contexts() -> None:
    got: list[Any] = []
    first, second = futures(2)
    tasks = [await waiting(first, got), await waiting(second, got)]
    variable.set("another")
    seen: list[Any] = []

    def act() -> None:
        set_results_now(results, True)
        seen.extend(got)

    results = events((second, 2), (first, 1))
    await outside_of_tasks(act)
    assert seen == [(2, True, "task 0"), (1, True, "task 0")]
    await asyncio.gather(*tasks)


async def test_a_task_may_wait_again_at_once() -> None:
    first, second = futures(2)
    got: list[Any] = []

    async def wait() -> None:
        got.append(await first)
        got.append(await second)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    await outside_of_tasks(lambda: set_results_now(events((first, 1)), True))
    assert got == [1]
    await outside_of_tasks(lambda: set_results_now(events((second, 2)), True))
    assert got == [1, 2]
    await task


async def test_inside_of_a_task_the_loop_s_next_turn_does_it() -> None:
    got: list[Any] = []
    (future,) = futures(1)
    task = await waiting(future, got)
    set_results_now(events((future, 1)), True)
    assert got == []
    assert future.result() == 1
    await task
    assert len(got) == 1


async def test_unless_it_is_to_be_at_once_the_loop_s_next_turn_does_it() -> None:
    got: list[Any] = []
    (future,) = futures(1)
    task = await waiting(future, got)
    seen: list[int] = []

    def act() -> None:
        set_results_now(events((future, 1)), False)
        seen.append(len(got))

    await outside_of_tasks(act)
    await task
    assert (seen, len(got)) == ([0], 1)


async def test_a_future_without_a_waiter_or_with_several() -> None:
    got: list[Any] = []
    alone, shared = futures(2)
    tasks = [await waiting(shared, got), await waiting(shared, got)]
    await outside_of_tasks(lambda: set_results_now(events((alone, 1), (shared, 2)), True))
    assert alone.result() == 1
    await asyncio.gather(*tasks)
    assert [value for value, _, _ in got] == [2, 2]


async def test_a_future_that_was_cancelled_is_left_alone() -> None:
    got: list[Any] = []
    first, second = futures(2)
    gone, other = await waiting(first, got), await waiting(second, got)
    gone.cancel()
    await outside_of_tasks(lambda: set_results_now(events((first, 1), (second, 2)), True))
    await asyncio.wait([gone, other])
    assert gone.cancelled()
    assert [value for value, _, _ in got] == [2]


async def test_a_task_cancels_the_next_one() -> None:
    got: list[Any] = []
    first, second = futures(2)
    task = await waiting(first, got, then=lambda: other.cancel())
    other = await waiting(second, got)
    await outside_of_tasks(lambda: set_results_now(events((first, 1), (second, 2)), True))
    await asyncio.wait([task, other])
    assert other.cancelled()
    assert [value for value, _, _ in got] == [1]


async def test_what_a_task_raises_is_its_own() -> None:
    got: list[Any] = []
    first, second = futures(2)

    def fail() -> None:
        raise ValueError("mine")

    failing, other = await waiting(first, got, then=fail), await waiting(second, got)
    await outside_of_tasks(lambda: set_results_now(events((first, 1), (second, 2)), True))
    assert [value for value, _, _ in got] == [1, 2]
    with pytest.raises(ValueError, match="mine"):
        await failing
    await other


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
async def test_an_interrupt_costs_nobody_a_result(kind: type[BaseException]) -> None:
    got: list[Any] = []
    first, second, third = futures(3)

    def interrupt() -> None:
        raise kind

    task, other = await waiting(first, got, then=interrupt), await waiting(second, got)
    third.cancel()
    results = events((first, 1), (third, 3), (second, 2))
    with pytest.raises(RuntimeError, match=kind.__name__):
        await outside_of_tasks(lambda: set_results_now(results, True))
    await other
    assert [value for value, _, _ in got] == [1, 2]
    assert isinstance(task.exception(), kind)


async def test_a_future_that_tells_nothing_of_its_waiters() -> None:
    class Opaque(asyncio.Future[Any]):
        _callbacks = None  # type: ignore[assignment]

    got: list[Any] = []
    future = Opaque()
    task = await waiting(future, got)
    await outside_of_tasks(lambda: set_results_now(events((future, 1)), True))
    await task
    assert [value for value, _, _ in got] == [1]
