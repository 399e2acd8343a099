"""Checks of requests within one process."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from ...entities import Context, SimpleClient, SimpleServer
from ...exceptions import HandlerError, ReqError, RequestTimeout, RespError
from .meeting import QUICK, SHORT, MakeMeeting, at_most, promised, raises, reaches


@promised
async def check_one_outcome(make: MakeMeeting) -> None:
    """Each request has exactly one outcome, its own: the answer, or the error that its handler raised."""
    calls: list[int] = []

    async def handle(data: list[Any]) -> Any:
        number, wish = data
        calls.append(number)
        if wish == "later":
            await asyncio.sleep(0.001 * (number % 7))
        elif wish == "req":
            raise ReqError(f"req {number}", number)
        elif wish == "resp":
            raise RespError(f"resp {number}", -number)
        elif wish == "bug":
            raise ZeroDivisionError(number)
        return [number, wish]

    wishes = ("now", "later", "req", "later", "resp", "bug")
    meeting = make(None)
    async with SimpleServer(meeting.server, handle, limits=QUICK) as server:
        async with SimpleClient(meeting.client(server.address), limits=QUICK) as client:

            async def ask(number: int) -> None:
                wish = wishes[number % len(wishes)]
                try:
                    outcome = await client.request([number, wish])
                except (ReqError, RespError) as exc:
                    outcome = [type(exc), exc.message, exc.code]
                except HandlerError as exc:
                    outcome = [type(exc), exc.message]
                expected = {
                    "req": [ReqError, f"req {number}", number],
                    "resp": [RespError, f"resp {number}", -number],
                    "bug": [HandlerError, f"ZeroDivisionError({number})"],
                }
                assert outcome == expected.get(wish, [number, wish])

            asking = asyncio.gather(*map(ask, range(600)))
            await at_most(30, asking, "each request has an outcome")
    assert sorted(calls) == list(range(600)), "each request is handled once"


@promised
async def check_deadlines_and_cancellation_travel(make: MakeMeeting) -> None:
    """A timeout ends the request and its handler in time; cancelling the request cancels the handler. The
    handler knows the time that is left, and a request nested in it has no more.
    """
    ended: list[str] = []
    started: list[str] = []
    seen: dict[str, float | None] = {}
    loop = asyncio.get_running_loop()

    async def handle(name: str, context: Context) -> None:
        started.append(name)
        seen[name] = context.remaining
        try:
            if name == "nested":
                began = loop.time()
                try:
                    await server.request("deep")
                except RequestTimeout:
                    pass  # no promise says which ends first, this or the handler's own
                finally:
                    seen["nested took"] = loop.time() - began
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(name)
            raise

    async def handle_at_client(name: str, context: Context) -> None:
        seen[name] = context.remaining
        await asyncio.Event().wait()

    meeting = make(None)
    async with SimpleServer(meeting.server, handle, limits=QUICK) as server:
        connector = meeting.client(server.address)
        async with SimpleClient(connector, handle_at_client, limits=QUICK) as client:
            for name, innermost in (("plain", "plain"), ("nested", "deep")):
                for limit in SHORT:
                    began = time.monotonic()
                    with raises(RequestTimeout, "a timeout ends the request"):
                        timed = client.request(name, timeout=limit)
                        await at_most(limit + 10, timed, "a timeout ends the request")
                    took = time.monotonic() - began
                    assert 0.8 * limit < took < limit + 5.0, f"a timeout of {limit} s took {took:.2f} s"
                    if innermost in seen:
                        break
                assert innermost in seen, "a request reaches its handler in time"
                await reaches(lambda name=name: name in ended, "a timeout cancels the handler")  # type: ignore[misc]
                left = seen[name]
                assert left is not None, "the handler knows that there is a limit"
                assert 0.0 <= left <= limit, "the handler knows the time that is left"
            deep = seen["deep"]
            assert deep is not None, "a nested request has a limit, too"
            assert 0.0 <= deep <= limit, "a nested request inherits the time"
            asking = asyncio.ensure_future(client.request("cancelled"))
            await reaches(lambda: "cancelled" in started, "the handler starts")
            asking.cancel()
            await reaches(lambda: "cancelled" in ended, "cancelling a request cancels its handler")
            assert seen["cancelled"] is None, "without a timeout there is no limit"


@promised
async def check_small_overtakes_big(make: MakeMeeting) -> None:
    """Small requests overtake large messages that are under way, in either direction."""
    size = 24 * 1024 * 1024
    order: list[str] = []

    def handle(data: str) -> str:
        return "y" * size if data == "give" else data[:5]

    meeting = make(None)
    async with SimpleServer(meeting.server, handle, limits=QUICK) as server:
        async with SimpleClient(meeting.client(server.address), limits=QUICK) as client:

            async def ask(name: str, data: str) -> None:
                await client.request(data)
                order.append(name)

            for name, data in (("big request", "x" * size), ("big answer", "give")):
                order.clear()
                big = asyncio.ensure_future(ask(name, data))
                for number in range(5):
                    await at_most(30, ask(f"small {number}", "small"), "small messages go on")
                await at_most(60, big, "the large message arrives")
                assert order[-1] == name, f"small messages overtake a {name}: {order}"
