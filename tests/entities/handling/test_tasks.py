"""A hosted coroutine must not be able to tell that it has no task of its own from the beginning."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

import pytest

from communica_like.entities.handling.tasks import EagerTask
from tests.entities.stage import PATIENCE, first_step, simple_pair

Script = Callable[[list[Any]], Coroutine[Any, Any, Any]]
Meddle = Callable[["asyncio.Task[Any]"], None]


def nothing(task: asyncio.Task[Any]) -> None:
    pass


def ignore(host: EagerTask, result: Any, error: BaseException | None) -> None:
    pass


def cancel(task: asyncio.Task[Any]) -> None:
    task.cancel("please")


variable = contextvars.ContextVar("variable", default="unset")


async def run_as_task(script: Script, trace: list[Any], meddle: Meddle) -> Any:
    """The reference: a task whose first step is over when it is meddled with."""
    task = asyncio.get_running_loop().create_task(script(trace))
    await asyncio.sleep(0)
    meddle(task)
    return await task


async def run_hosted(script: Script, trace: list[Any], meddle: Meddle, *, entered: bool) -> Any:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def on_done(host: EagerTask, result: Any, error: BaseException | None) -> None:
        if not done.cancelled():
            done.set_result((result, error))

    def step() -> None:
        host = hosts[0] if entered else make()
        try:
            first_step(host, script(trace), contextvars.copy_context(), on_done)
        except StopIteration as stop:
            done.set_result((stop.value, None))
        except BaseException as exc:
            done.set_result((None, exc))
        else:
            meddle(host.task)

    hosts: list[EagerTask] = []
    gone: list[EagerTask] = []

    def make() -> EagerTask:
        hosts.append(EagerTask(loop, lambda host, began: None, gone.append))
        return hosts[0]

    if entered:
        make()
        await asyncio.sleep(0)
    loop.call_soon(step)
    try:
        result, error = await asyncio.wait_for(done, PATIENCE)
    finally:
        hosts[0].cancel()
        await asyncio.wait([hosts[0].task])
    if error is not None:
        raise error
    return result


async def outcome(running: Awaitable[Any]) -> tuple[str, Any]:
    try:
        return "returned", await asyncio.wait_for(running, PATIENCE)
    except (asyncio.CancelledError, Exception, GeneratorExit, ExceptionGroup) as exc:
        return "raised", repr(exc) if not isinstance(exc, asyncio.CancelledError) else "CancelledError"


# -- what a handler may do


async def never_suspends(trace: list[Any]) -> Any:
    task = asyncio.current_task()
    assert task is not None
    trace.append((task.done(), task.cancelling()))
    return 1


async def bare_yields(trace: list[Any]) -> Any:
    for number in range(3):
        await asyncio.sleep(0)
        trace.append(number)
    return 2


async def raises_at_once(trace: list[Any]) -> Any:
    raise ValueError("first")


async def raises_later(trace: list[Any]) -> Any:
    await asyncio.sleep(0)
    raise ValueError("later")


async def cancels_itself_and_ends(trace: list[Any]) -> Any:
    current().cancel()
    return 3


async def cancels_itself_and_awaits(trace: list[Any]) -> Any:
    current().cancel("mine")
    try:
        await asyncio.sleep(PATIENCE)
    except asyncio.CancelledError:
        trace.append(("cancelled", current().cancelling()))
        await asyncio.sleep(0)
        return current().uncancel()


async def cancels_and_yields(trace: list[Any]) -> Any:
    current().cancel()
    try:
        await asyncio.sleep(0)
        trace.append("not cancelled")
    except asyncio.CancelledError:
        trace.append("cancelled")
    await asyncio.sleep(0)
    trace.append("went on")


async def cancels_and_uncancels(trace: list[Any]) -> Any:
    current().cancel()
    current().uncancel()
    try:
        await asyncio.sleep(0)
        trace.append("not cancelled")
    except asyncio.CancelledError:
        trace.append("cancelled")


async def raises_cancelled(trace: list[Any]) -> Any:
    raise asyncio.CancelledError


async def times_out(trace: list[Any]) -> Any:
    try:
        async with asyncio.timeout(0.001) as timeout:
            await asyncio.sleep(PATIENCE)
    except TimeoutError:
        return timeout.expired(), current().cancelling()


async def times_out_at_once(trace: list[Any]) -> Any:
    try:
        async with asyncio.timeout(0):
            await asyncio.sleep(PATIENCE)
    except TimeoutError:
        return current().cancelling()


async def waits_for(trace: list[Any]) -> Any:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.sleep(PATIENCE), 0.001)
    return await asyncio.wait_for(asyncio.sleep(0, "in time"), PATIENCE)


async def groups(trace: list[Any]) -> Any:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asyncio.sleep(0, number)) for number in range(3)]
    return [task.result() for task in tasks]


async def group_fails(trace: list[Any]) -> Any:
    async def fail() -> None:
        raise ValueError("child")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await asyncio.sleep(PATIENCE)
    except* ValueError as errors:
        trace.append([repr(each) for each in errors.exceptions])
    trace.append(current().cancelling())
    await asyncio.sleep(0)


async def shields(trace: list[Any]) -> Any:
    inner = asyncio.ensure_future(asyncio.sleep(0.001, "inner"))
    try:
        return await asyncio.shield(inner)
    except asyncio.CancelledError:
        return "outer cancelled", await inner


async def awaits_a_done_future(trace: list[Any]) -> Any:
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    future.set_result("done")
    return await future


async def awaits_what_fails(trace: list[Any]) -> Any:
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_exception, KeyError("thrown in"))
    try:
        await future
    except KeyError as exc:
        await asyncio.sleep(0)
        return repr(exc)


async def awaits_a_cancelled_task(trace: list[Any]) -> Any:
    task = asyncio.ensure_future(asyncio.sleep(PATIENCE))
    asyncio.get_running_loop().call_soon(task.cancel)
    await task


async def awaits_who_takes_the_cancellation(trace: list[Any]) -> Any:
    class Stubborn(asyncio.Future[str]):
        def cancel(self, msg: object = None) -> bool:
            if not self.done():
                self.set_result("swallowed")
            return True

    stubborn = Stubborn()
    asyncio.get_running_loop().call_later(0.005, stubborn.cancel)
    return await stubborn, current().cancelling()


async def cleans_up(trace: list[Any]) -> Any:
    try:
        await asyncio.sleep(0.005)
    finally:
        trace.append("cleaning")
        await asyncio.sleep(0)
        trace.append("clean")


async def runs_in_a_thread(trace: list[Any]) -> Any:
    variable.set("mine")
    return await asyncio.to_thread(variable.get)


async def keeps_its_context(trace: list[Any]) -> Any:
    variable.set("before")
    await asyncio.sleep(0)
    trace.append(variable.get())
    token = variable.set("after")
    await asyncio.sleep(0)
    trace.append(variable.get())
    variable.reset(token)
    return variable.get()


async def yields_rubbish(trace: list[Any]) -> Any:
    class Rubbish:
        def __await__(self) -> Generator[Any, Any, Any]:
            yield "rubbish"

    try:
        await Rubbish()
    except RuntimeError as exc:
        return "bad yield" in str(exc)


async def awaits_a_generator(trace: list[Any]) -> Any:
    @types.coroutine
    def old_style() -> Generator[Any, Any, str]:
        yield
        yield from asyncio.sleep(0).__await__()
        return "old style"

    return await old_style()


def current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


SCRIPTS: list[Script] = [
    never_suspends, bare_yields, raises_at_once, raises_later, cancels_itself_and_ends,
    cancels_itself_and_awaits, cancels_and_yields, cancels_and_uncancels, raises_cancelled, times_out,
    times_out_at_once, waits_for, groups, group_fails, shields, awaits_a_done_future, awaits_what_fails,
    awaits_a_cancelled_task, awaits_who_takes_the_cancellation, cleans_up, runs_in_a_thread,
    keeps_its_context, yields_rubbish, awaits_a_generator,
]  # fmt: skip


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
@pytest.mark.parametrize("entered", [False, True], ids=["new", "parked"])
@pytest.mark.parametrize("meddle", [nothing, cancel])
@pytest.mark.parametrize("script", SCRIPTS)
async def test_it_is_like_a_task(script: Script, meddle: Meddle, entered: bool, debug: bool) -> None:
    asyncio.get_running_loop().set_debug(debug)
    expected: list[Any] = []
    found: list[Any] = []
    ended = script in (never_suspends, raises_at_once, cancels_itself_and_ends, raises_cancelled)
    if script is cancels_itself_and_ends:
        wanted: tuple[str, Any] = ("returned", 3)  # a task would only say that it was cancelled
    else:
        wanted = await outcome(run_as_task(script, expected, nothing if ended else meddle))
    assert await outcome(run_hosted(script, found, meddle, entered=entered)) == wanted
    if script is cancels_and_uncancels and meddle is nothing:
        expected = ["not cancelled"]  # as of Python 3.13, here with every version
    assert found == expected
    assert asyncio.all_tasks() == {current()}


async def test_nothing_suspended_nothing_created() -> None:
    loop = asyncio.get_running_loop()
    host = EagerTask(loop, lambda host, began: None, lambda host: None)
    before = asyncio.all_tasks()
    ends: list[object] = []

    def step() -> None:
        try:
            first_step(host, never_suspends([]), contextvars.copy_context(), ignore)
        except StopIteration as stop:
            ends.append((stop.value, asyncio.all_tasks() == before, asyncio.current_task()))

    for _ in range(3):
        asyncio.get_running_loop().call_soon(step)
    await asyncio.sleep(0)
    assert ends == [(1, True, None)] * 3
    assert not host.gate.done()
    host.cancel()
    await asyncio.wait([host.task])
    assert host.task.cancelled()


async def test_one_future_for_two_hosts() -> None:
    shared: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def wait(trace: list[Any]) -> str:
        return await shared

    running = [asyncio.ensure_future(run_hosted(wait, [], nothing, entered=False)) for _ in range(3)]
    asyncio.get_running_loop().call_later(0.01, shared.set_result, "shared")
    assert await asyncio.gather(*running) == ["shared"] * 3


async def test_steps_are_reported() -> None:
    steps: list[float] = []
    loop = asyncio.get_running_loop()
    host = EagerTask(loop, lambda host, began: steps.append(began), lambda host: None)
    ended = asyncio.Event()

    def step() -> None:
        first_step(
            host, bare_yields([]), contextvars.copy_context(), lambda host, result, error: ended.set()
        )

    loop.call_soon(step)
    await asyncio.wait_for(ended.wait(), PATIENCE)
    assert len(steps) == 3
    assert steps == sorted(steps)


async def test_system_exit_does_not_end_the_loop() -> None:
    async def leave(trace: list[Any]) -> None:
        await asyncio.sleep(0)
        raise SystemExit(7)

    with pytest.raises(SystemExit, match="7"):
        await run_hosted(leave, [], nothing, entered=False)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there are no eager tasks")
async def test_eager_tasks_all_around() -> None:
    loop = asyncio.get_running_loop()
    loop.set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009  # unknown to 3.11
    try:

        async def handler(data: str) -> Any:
            scripts = {script.__name__: script for script in SCRIPTS}
            return await scripts[data]([])

        names = ["never_suspends", "bare_yields", "times_out", "groups", "shields", "runs_in_a_thread"]
        async with simple_pair(handler) as (_, client):
            answers = await asyncio.gather(*[client.request(name) for name in names * 3])
        assert answers == [1, 2, [True, 0], [0, 1, 2], "inner", "mine"] * 3
    finally:
        loop.set_task_factory(None)
