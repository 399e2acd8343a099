"""Blocking clients: calls, threads, portals, handlers, ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from communica_like import (
    Closed,
    HandlerError,
    Limits,
    MessageTooBig,
    ReqError,
    RequestTimeout,
    RespError,
    RouteTable,
    connector_from,
)
from communica_like.blocking import Portal, RouteClient, SimpleClient
from communica_like.exceptions import ConnectTimeout, RouteOverrideError
from tests.blocking.scene import PATIENCE, Scene, gone, soon
from tests.process import Program

LOOP = "communica_like portal"


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with Scene() as scene:
        yield scene


@pytest.fixture(scope="module")
def server(scene: Scene) -> Program:
    return scene.serve()


@pytest.fixture
def make(scene: Scene, server: Program) -> Iterator[Callable[..., RouteClient]]:
    made = []

    def make(**options: Any) -> RouteClient:
        made.append(RouteClient(connector_from(scene.url), **options))
        return made[-1]

    yield make
    for client in made:
        client.close(0)
    assert gone(LOOP)


def test_requests_and_their_failures(make: Callable[..., RouteClient], server: Program) -> None:
    with make(client_id="c", limits=Limits(max_message=2048, window=200_000, chunk=1024)) as client:
        assert client.request("echo", {"a": [1, None]}) == {"a": [1, None]}
        assert client.request("pid", None, timeout=PATIENCE) == server.pid
        with pytest.raises(ReqError, match="no") as caught:
            client.request("fail", "politely")
        assert caught.value.code == 7
        with pytest.raises(HandlerError, match="ValueError"):
            client.request("fail", "rudely")
        with pytest.raises(MessageTooBig):
            client.request("echo", "x" * 4096)
        began = time.monotonic()
        with pytest.raises(RequestTimeout):
            client.request("slow", None, timeout=1.0)  # long enough for the handler to start
        assert 0.9 < time.monotonic() - began < 10
        assert (server.line(), server.line()) == ("started", "cancelled")
        assert (client.client_id, client.connected, client.state) == ("c", True, "running")
        assert client.limits.max_message == 2048
        assert client.connector.scheme == "local"
    assert client.state == "closed"
    for call in (client.request, client.throw):
        with pytest.raises(Closed):
            call("echo", 1)
    assert gone(LOOP)


def test_throws_are_delivered(make: Callable[..., RouteClient]) -> None:
    with make() as client:
        for number in range(500):
            client.throw("note", number)
    with client:  # once more: the same object
        soon(lambda: client.request("notes", None) == list(range(500)))


def test_it_says_what_it_is(make: Callable[..., RouteClient], scene: Scene) -> None:
    client = make()
    assert repr(client) == f"<blocking <RouteClient {scene.url} new>>"
    client.init()
    assert repr(client) == f"<blocking <RouteClient {scene.url} running>>"
    client.close()
    client.close()
    assert "closed" in repr(client)
    assert RouteClient.request.__doc__
    assert "Returns" in (RouteClient.init.__doc__ or "") or "init" in (RouteClient.init.__doc__ or "")


def test_a_call_before_the_start(make: Callable[..., RouteClient]) -> None:
    client = make()
    with pytest.raises(Closed, match="not started"):
        client.request("echo", 1)
    client.wait_stop()
    client.stop()
    assert (client.state, client.drain_timeout) == ("new", 30.0)
    assert gone(LOOP)


def test_a_second_start_does_no_harm(make: Callable[..., RouteClient]) -> None:
    with make() as client:
        with pytest.raises(RuntimeError, match="already started"):
            client.init()
        assert client.request("echo", 1) == 1


def test_no_server() -> None:
    with Scene() as scene:
        client = SimpleClient(connector_from(scene.url))
        with pytest.raises(ConnectTimeout):
            client.init(timeout=0.1)
        assert client.state == "closed"
        assert gone(LOOP)
        client.init(wait=False)
        with pytest.raises(RequestTimeout):
            client.request(1, timeout=0.1)
        client.close(0)


def test_fifty_threads_share_a_client(make: Callable[..., RouteClient]) -> None:
    with make() as client, ThreadPoolExecutor(50) as threads:
        begin = threading.Barrier(50)

        def ask(number: int) -> bool:
            begin.wait(PATIENCE)
            return all(client.request("echo", [number, i]) == [number, i] for i in range(20))

        assert all(threads.map(ask, range(50)))


def test_one_loop_for_all(make: Callable[..., RouteClient]) -> None:
    def loops() -> int:
        return sum(thread.name == LOOP for thread in threading.enumerate())

    first, second = make(), make()
    with first:
        with second:
            assert loops() == 1
        assert first.request("echo", 1) == 1
    assert loops() == 0
    with make(portal=Portal()) as own, first:
        assert loops() == 2
        assert (own.request("echo", 1), first.request("echo", 2)) == (1, 2)
    assert loops() == 0
    with Portal() as portal:
        with make(portal=portal) as client:
            assert client.request("echo", 3) == 3
        assert loops() == 1


def test_who_waits_hears_of_the_closing(make: Callable[..., RouteClient], server: Program) -> None:
    client = make().init()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(client.request, "slow", None)
        assert server.line() == "started"
        client.close()
        with pytest.raises(Closed):
            waiting.result(PATIENCE)
        assert server.line() == "cancelled"


def test_closed_and_started_by_many_threads(make: Callable[..., RouteClient]) -> None:
    """Whatever comes out, nobody hangs, and afterwards it works."""
    client = make()

    def churn(_: int) -> None:
        for _ in range(5):
            try:
                with client:
                    client.request("echo", 1, timeout=PATIENCE)
            except (Closed, RuntimeError):
                pass

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(churn, range(8)))
    client.close()
    assert gone(LOOP)
    with client:
        assert client.request("echo", 1) == 1


def test_the_loops_own_thread_may_not_wait(make: Callable[..., RouteClient]) -> None:
    client = make()

    @client.routes.handler("wrong")
    async def wrong(call: str) -> str:
        calls: dict[str, Callable[[], object]] = {
            "request": lambda: client.request("echo", 1),
            "close": client.close,
            "init": client.init,
            "run": client.run,
            "stop": client.stop,
            "other": lambda: make().init(),
        }
        try:
            calls[call]()
        except RuntimeError as error:
            return str(error)
        return "nothing"

    with client:
        for call in ("request", "close", "init", "run", "stop", "other"):
            assert "own thread" in client.request("call back", ["wrong", call], timeout=PATIENCE), call
        assert client.request("echo", 1) == 1


# ----------------------------------------------------------------------------------------- handlers


def test_handlers_run_in_threads_and_call_back(make: Callable[..., RouteClient]) -> None:
    table = RouteTable("mine")
    client = make(route_table=[table, None])

    @table.handler("late")
    def late(data: Any) -> Any:
        return data

    @client.routes.handler("nested")
    def nested(depth: int) -> list[str]:
        deeper = client.request("call back", ["nested", depth - 1]) if depth else []
        return [threading.current_thread().name, *deeper]

    @client.routes.handler("async")
    async def on_the_loop(_: None) -> str:
        return threading.current_thread().name

    with client:
        assert client.request("call back", ["nested", 3]) == ["communica_like handler"] * 4
        assert client.request("call back", ["async", None]) == LOOP
        with pytest.raises(ReqError):  # tables are copied
            client.request("call back", ["late", 1])
        client.routes.add_route("late", late)
        assert client.request("call back", ["late", 1]) == 1
        with pytest.raises(RouteOverrideError):
            client.routes.add_route("late", late)
        assert {"late", "nested", "async"} == set(client.routes)
    soon(lambda: gone("communica_like handler"))


def test_time_limits_are_inherited_through_threads(make: Callable[..., RouteClient]) -> None:
    client = make()
    begun = threading.Event()
    outcome: list[BaseException] = []

    @client.routes.handler("how long")
    def how_long(_: None) -> float | None:
        left: float | None = client.request("remaining", None)
        return left

    @client.routes.handler("too long")
    def too_long(_: None) -> None:
        begun.set()
        try:
            client.request("slow", None)
        except BaseException as error:
            outcome.append(error)
            raise

    with client:
        assert client.request("call back", ["how long", None]) is None
        assert 1 < client.request("call back", ["how long", None], timeout=PATIENCE) < PATIENCE
        limit = 0.3
        while not begun.is_set():  # on a busy machine that may be over before it gets there
            with pytest.raises((RequestTimeout, HandlerError)):  # the server may be the first to say so
                client.request("call back", ["too long", None], timeout=limit)
            limit *= 4
        soon(lambda: outcome)
        assert isinstance(outcome[0], RequestTimeout)


def test_one_worker_serialises(make: Callable[..., RouteClient]) -> None:
    client = make(workers=1)
    log: list[int] = []
    inside = threading.Lock()

    @client.routes.handler("job")
    def job(number: int) -> None:
        assert inside.acquire(blocking=False)
        log.append(number)
        time.sleep(0.001)
        inside.release()

    with client, ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(client.request, "call back", ["job", n]) for n in range(20)]
        assert [call.result(PATIENCE) for call in calls] == [None] * 20
    assert sorted(log) == list(range(20))


def test_as_many_handlers_at_a_time_as_there_are_workers(make: Callable[..., RouteClient]) -> None:
    client = make(workers=3)
    together = threading.Barrier(3)
    at_work = []

    @client.routes.handler("job")
    def job(_: None) -> int:
        at_work.append(1)
        most = len(at_work)
        together.wait(PATIENCE)
        at_work.pop()
        return most

    with client, ThreadPoolExecutor(9) as threads:
        calls = [threads.submit(client.request, "call back", ["job", None]) for _ in range(9)]
        assert max(call.result(PATIENCE) for call in calls) <= 3


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), StopIteration(), GeneratorExit()])
def test_whatever_a_handler_raises(
    make: Callable[..., RouteClient], error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    client = make()

    @client.routes.handler("odd")
    def odd(_: None) -> None:
        raise error

    with client:
        with pytest.raises((HandlerError, RespError)):
            client.request("call back", ["odd", None], timeout=PATIENCE)
        assert client.request("echo", 1) == 1


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()])
def test_whatever_an_async_handler_raises_ends_no_loop(
    make: Callable[..., RouteClient], error: BaseException, waits: bool
) -> None:
    client = make()

    @client.routes.handler("odd")
    async def odd(_: None) -> None:
        if waits:
            await asyncio.sleep(0)
        raise error

    with client:
        with pytest.raises(HandlerError, match=type(error).__name__):
            client.request("call back", ["odd", None], timeout=PATIENCE)
        assert client.request("echo", 1, timeout=PATIENCE) == 1


def test_what_is_no_handler(scene: Scene) -> None:
    connector = connector_from(scene.url)

    def generator(data: Any) -> Iterator[Any]:
        yield data

    for handler in (generator, lambda a, b, c: None, 5):
        with pytest.raises(TypeError):
            SimpleClient(connector, handler)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="thread"):
        SimpleClient(connector, workers=0)
