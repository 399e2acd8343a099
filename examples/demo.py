"""Take a tour of communica_like with a server process and a client process, and check each result.

The process that you start supervises the other two. When the server dies, it starts another one.
The client prints the story. The exit code is 0 only if every promise was kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))  # run from a clone without installing

from communica_like import (
    ConnectionLost,
    Context,
    HandlerError,
    LocalConnector,
    ReqError,
    RequestTimeout,
    RouteClient,
    RouteServer,
    Serializer,
    TcpConnector,
    connector_from,
)
from communica_like.testing import CuttingProxy

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
THROWS = 100_000
CABLE_THROWS = 20_000
MIB = 1024 * 1024
DOWN = 0.7  # seconds until a dead server is replaced


class Raw(Serializer):
    """A serializer that passes bytes through unchanged."""

    def dump(self, obj: Any) -> bytes:
        return bytes(obj)

    def load(self, data: bytes) -> bytes:
        return data


# ------------------------------------------------------------------------------------------- the server


async def serve(name: str) -> None:
    """Run the server process, with the same routes on a local socket and on TCP."""
    local = RouteServer(LocalConnector(name))
    tcp = RouteServer(TcpConnector("127.0.0.1", 0, authkey=name.encode()))
    log: list[int] = []
    started: list[str] = []
    cancelled: list[str] = []

    async def slow(what: str) -> dict[str, Any]:
        started.append(what)
        try:
            await asyncio.sleep(0.8)
        except asyncio.CancelledError:
            cancelled.append(what)
            raise
        return {"what": what, "pid": os.getpid()}

    def root(number: float) -> float:
        if number < 0:
            raise ReqError("no negative numbers, please", code=422)
        return float(number**0.5)

    def buggy(data: dict[str, str]) -> str:
        return data["no such key"]

    async def guess(_: None, context: Context) -> int:
        low, high = 1, 100
        for questions in range(1, 10):
            middle = (low + high) // 2
            if await local.request("is it more than", middle, client_id=context.client_id):
                low = middle + 1
            else:
                high = middle
            if low == high:
                await local.throw("it is", low, client_id=context.client_id)
                return questions
        raise RuntimeError("it is no number from 1 to 100")

    def take_log(_: None) -> list[int]:
        """Return how many numbers arrived and how many of them in order, then clear the log."""
        first = log[0] if log else 0
        result = [len(log), sum(number == first + place for place, number in enumerate(log))]
        log.clear()
        return result

    routes: list[Callable[..., Any]] = [root, buggy, slow, guess, take_log]
    for server in (local, tcp):
        for function in routes:
            server.routes.add_route(function.__name__, function)
        server.routes.add_route("log", log.append)
        server.routes.add_route("pid", lambda _: os.getpid())
        server.routes.add_route("started", lambda _: started)
        server.routes.add_route("cancelled", lambda _: cancelled)
        server.routes.add_route("tcp address", lambda _: tcp.address)
        server.routes.add_route("big", len_of, Raw())
    async with tcp:
        await local.run()


def len_of(data: bytes) -> bytes:
    return b"%d" % len(data)


# ------------------------------------------------------------------------------------------- the client


class Story:
    """A printer of checks that collects the failed ones."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        colors = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._codes = (
            {"bold": "\033[1m", "green": "\033[32m", "red": "\033[31m", "dim": "\033[2m", "": "\033[0m"}
            if colors
            else dict.fromkeys(("bold", "green", "red", "dim", ""), "")
        )

    def paint(self, color: str, text: str) -> str:
        return f"{self._codes[color]}{text}{self._codes['']}"

    def section(self, title: str) -> None:
        print(f"\n{self.paint('bold', title)}", flush=True)

    def say(self, text: str) -> None:
        print(f"     {text}", flush=True)

    def check(self, fine: object, text: str) -> None:
        word = self.paint("green", " ok ") if fine else self.paint("red", "FAIL")
        print(f"{word} {text}", flush=True)
        if not fine:
            self.failures.append(text)


async def tell(name: str) -> int:
    """Run the client process. Return the exit code."""
    story = Story()
    client = RouteClient(LocalConnector(name), client_id="storyteller")
    secret = 1 + int.from_bytes(os.urandom(1), "big") % 100
    told: list[int] = []
    client.routes.add_route("is it more than", lambda number: secret > number)
    client.routes.add_route("it is", told.append)
    async with client:
        await requests(story, client)
        await errors(story, client)
        await both_ways(story, client, secret, told)
        await time_limits(story, client)
        await throws(story, client)
        await overtaking(story, client)
        await cut_cable(story, client, name)
        await sudden_death(story, client)
    if story.failures:
        print(f"\n{len(story.failures)} promises were broken:", *story.failures, sep="\n  ", flush=True)
    return 1 if story.failures else 0


async def requests(story: Story, client: RouteClient) -> None:
    story.section("1. Requests, and their answers")
    story.say(f"This is process {os.getpid()}; the server is process {await client.request('pid', None)}.")
    story.check(await client.request("root", 2.25) == 1.5, "the root of 2.25 is 1.5, says the server")
    began = time.perf_counter()
    answers = await asyncio.gather(*(client.request("root", n * n) for n in range(1000)))
    took = time.perf_counter() - began
    story.check(answers == list(range(1000)), f"1000 requests at once, in {took * 1000:.0f} ms: each its own")


async def errors(story: Story, client: RouteClient) -> None:
    story.section("2. Errors arrive as what they are")
    try:
        await client.request("root", -1)
    except ReqError as error:
        story.say(f"The handler raised ReqError; here it is: {error}")
        story.check(error.code == 422, "the same exception, with its message and code")
    else:
        story.check(False, "a handler's ReqError arrives")
    try:
        await client.request("buggy", {})
    except HandlerError as error:
        lines = [line for line in error.traceback.splitlines() if line.strip(" ~^")]
        for line in lines[-3:]:
            story.say("| " + line.replace(str(Path(__file__).parent), "..."))
        story.check("in buggy" in error.traceback, "a bug brings along the traceback from the other side")
    else:
        story.check(False, "a handler's bug arrives")


async def both_ways(story: Story, client: RouteClient, secret: int, told: list[int]) -> None:
    story.section("3. The server may ask, too")
    story.say(f"I think of a number from 1 to 100. It is {secret}. Server, guess it!")
    questions = await client.request("guess", None, timeout=20)
    story.check(told == [secret], f"it asked me {questions} times, while I waited for it, and found it")


async def time_limits(story: Story, client: RouteClient) -> None:
    story.section("4. Time limits and cancellation reach the handler")
    try:
        await client.request("slow", "timed out", timeout=0.4)
    except RequestTimeout:
        story.check(True, "a request with 0.4 s of time ended with RequestTimeout")
    task = asyncio.create_task(client.request("slow", "called off"))
    await lists(client, "started", 2)
    task.cancel()
    await asyncio.wait([task])
    found = await lists(client, "cancelled", 2)
    story.check(found == ["timed out", "called off"], f"the server stopped both handlers: {found}")


async def lists(client: RouteClient, route: str, count: int) -> list[str]:
    """Request a list until it has *count* items, at most 1000 times."""
    found: list[str] = []
    for _ in range(1000):
        found = await client.request(route, None)
        if len(found) >= count:
            break
        await asyncio.sleep(0.01)
    return found


async def throws(story: Story, client: RouteClient) -> None:
    story.section("5. Throws: sent, and not waited for")
    began = time.perf_counter()
    for number in range(THROWS):
        await client.throw("log", number)
    # This request is handled after the throws that were sent before it.
    result = await client.request("take_log", None)
    took = time.perf_counter() - began
    story.check(
        result == [THROWS, THROWS],
        f"{THROWS:,} throws arrived, each once and in order ({THROWS / took:,.0f} each second)",
    )


async def overtaking(story: Story, client: RouteClient) -> None:
    story.section("6. Small messages overtake large ones")
    big = asyncio.create_task(client.request("big", bytes(64 * MIB), serializer=Raw()))
    await asyncio.sleep(0)
    took: list[float] = []
    while not big.done():
        began = time.perf_counter()
        await client.request("root", 4)
        took.append(time.perf_counter() - began)
    typical = sorted(took)[len(took) // 2]
    story.check(await big == b"%d" % (64 * MIB), "a message of 64 MiB arrived whole")
    story.check(
        len(took) >= 10,
        f"{len(took)} requests were answered meanwhile; they took {typical * 1000:.1f} ms, typically",
    )


async def cut_cable(story: Story, client: RouteClient, name: str) -> None:
    story.section("7. Broken links lose nothing")
    story.say("The same routes over TCP, through a cable that is cut again and again.")
    server = connector_from(await client.request("tcp address", None))
    assert isinstance(server, TcpConnector)
    # The proxy cuts each connection after a random number of bytes, often inside a message.
    async with CuttingProxy((server.host, server.port), cut_after=(10_000, 60_000)) as cable:
        assert not isinstance(cable.address, str)
        connector = TcpConnector(cable.address[0], cable.address[1], authkey=name.encode())
        async with RouteClient(connector, client_id="over TCP") as far:
            for number in range(CABLE_THROWS):
                await far.throw("log", number)
            result = await far.request("take_log", None, timeout=20)
    story.check(cable.cuts > 5, f"it was cut {cable.cuts} times, mostly in the middle of a message")
    story.check(
        result == [CABLE_THROWS, CABLE_THROWS],
        f"{CABLE_THROWS:,} throws arrived all the same, each once and in order",
    )


async def sudden_death(story: Story, client: RouteClient) -> None:
    story.section("8. The server is killed")
    old = await client.request("pid", None)
    plain = asyncio.create_task(client.request("slow", "plain"))
    again = asyncio.create_task(client.request("slow", "idempotent", idempotent=True, timeout=20))
    await lists(client, "started", 4)
    story.say("Two requests are being handled; kill -9 now.")
    os.kill(old, KILL)
    began = time.perf_counter()
    outcome = await outcome_of(plain)
    took = (time.perf_counter() - began) * 1000
    if isinstance(outcome, ConnectionLost):
        story.check(outcome.sent, f"{took:.0f} ms later, one ends with ConnectionLost, outcome unknown")
    else:
        story.check(False, f"a request to a dead server ends with ConnectionLost, not {outcome!r}")
    story.say("Nobody serves now. I make 1000 throws and one more request.")
    for number in range(1000):
        await client.throw("log", number)
    waiting = asyncio.create_task(client.request("pid", None, timeout=20))
    new = await outcome_of(waiting)
    story.check(isinstance(new, int) and new != old, f"the request waited for a new server: process {new}")
    result = await client.request("take_log", None, timeout=20)
    story.check(result == [1000, 1000], "the 1000 throws are there, each once and in order")
    answer = await outcome_of(again)
    story.check(
        answer == {"what": "idempotent", "pid": new},
        "the idempotent request was made again, and answered by the new server",
    )


async def outcome_of(awaitable: Awaitable[Any]) -> Any:
    """Return the result, or the exception."""
    try:
        return await awaitable
    except Exception as exc:
        return exc


# --------------------------------------------------------------------------------------- the supervisor


async def supervise(name: str) -> int:
    """Start server and client, and replace a server that dies. Return the exit code."""
    me = functools.partial(asyncio.create_subprocess_exec, sys.executable, __file__)
    began = time.perf_counter()
    server = await me("server", name)
    client = await me("client", name)
    client_done = asyncio.ensure_future(client.wait())
    try:
        while True:
            server_done = asyncio.ensure_future(server.wait())
            done, _ = await asyncio.wait(
                [client_done, server_done], timeout=60, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                print("\nNothing happens any more.")
                return 1
            if client_done in done:
                break
            print(f"     (process {server.pid} is dead; a new server starts in {DOWN} s)", flush=True)
            await asyncio.sleep(DOWN)
            server = await me("server", name)
        story = Story()
        story.section("9. The end")
        story.check(client_done.result() == 0, "the client ended with exit code 0")
        if server_done.done():
            story.check(False, "the server lives")
        elif sys.platform == "win32":
            server.terminate()  # Windows has no SIGINT for a single process
        else:
            server.send_signal(signal.SIGINT)
            story.check(await asyncio.wait_for(server_done, 10) == 0, "the server, after Ctrl-C, with 0 too")
        if not story.failures:
            print(f"\nEverything was as promised. It took {time.perf_counter() - began:.1f} s.", flush=True)
        return 1 if story.failures else 0
    finally:
        for process in (client, server):
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


def main(arguments: list[str]) -> int:
    # Hide the library's log records, such as the one about the provoked bug.
    logging.getLogger("communica_like").addHandler(logging.NullHandler())
    if arguments[:1] == ["server"]:
        asyncio.run(serve(arguments[1]))
        return 0
    try:
        if arguments[:1] == ["client"]:
            return asyncio.run(tell(arguments[1]))
        print("communica_like: two processes, one socket, no broker")
        return asyncio.run(supervise(f"demo-{os.getpid()}"))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
