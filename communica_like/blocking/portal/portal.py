"""Portal: the event loop of blocking programs, in a thread of its own, behind an anyio portal."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import inspect
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, Self, TypeVar

from ...exceptions import Closed
from ...features import optional_package
from ...system import fork
from .call import Call
from .interrupts import uninterrupted
from .loop import portal_loop

_callbacks: Final[dict[Callable[[], object], None]] = {}


def at_exit(callback: Callable[[], object]) -> None:
    """Call *callback* when the interpreter exits, last added first.

    It runs before the atexit functions that were registered earlier, such as those that kill children.
    """
    _callbacks[callback] = None
    atexit.unregister(_call_all)
    atexit.register(_call_all)
    # Children of multiprocessing end without atexit; they have a register of their own.
    processes, util = (sys.modules.get(f"multiprocessing.{name}") for name in ("process", "util"))
    if processes is not None and util is not None and processes.parent_process() is not None:
        util.Finalize(None, _call_all, exitpriority=100)


def _call_all() -> None:
    for callback in reversed(list(_callbacks)):
        callback()


logger = logging.getLogger("communica_like")

T = TypeVar("T")


class Portal:
    """Runs coroutines for threads without an event loop: a shared, reference-counted anyio BlockingPortal.

    Blocking objects use the one portal of their process, unless they are given another. Its event loop starts
    with the first user and ends with the last.

    Args:
        uvloop: whether to use uvloop's event loop, which must be installed.

    ``with portal:`` makes the portal a user of itself, which keeps the loop running. Any thread may use it;
    concurrent calls share wake-ups of the loop. A forked child needs objects of its own: calls through its
    parent's portal raise RuntimeError.
    """

    def __init__(self, *, uvloop: bool = False) -> None:
        if uvloop:
            optional_package("uvloop", "uvloop")
        self._options: Final = {"loop_factory": partial(portal_loop, uvloop)}
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._users = 0
        self._running: Any = None  # a BlockingPortal
        self._runner: threading.Thread
        self._loop: asyncio.AbstractEventLoop
        self._thread = 0
        self._new: deque[Call[Any]] = deque()
        self._waking = False
        self._farewells: dict[object, Callable[[], object]] = {}

    def __repr__(self) -> str:
        return f"<Portal of process {self._process}, {self._users} users>"

    # -- users

    def enter(self, farewell: Callable[[], object] | None = None) -> object:
        """Add a user, and return the token to ``leave`` with. The first one starts the loop.

        Args:
            farewell: called in the main thread if the interpreter exits before ``leave``.

        Raises:
            RuntimeError: the caller is a forked child, or the loop's own thread.
        """
        self.check_caller()

        def enter() -> object:
            user = object()
            with self._lock:
                if self._users == 0:
                    self._start()
                self._users += 1
                if farewell is not None:
                    self._farewells[user] = farewell
            return user

        return uninterrupted(enter, self.leave)

    def leave(self, user: object) -> None:
        """Remove a user. The last one stops the loop and waits until it has ended.

        Does nothing in a forked child.

        Raises:
            RuntimeError: the caller is the loop's own thread.
        """
        if os.getpid() != self._process:
            return
        self.check_caller()

        def leave() -> None:
            with self._lock:
                self._farewells.pop(user, None)
                self._users -= 1
                if self._users == 0:
                    self._stop()

        uninterrupted(leave)

    def __enter__(self) -> Self:
        self._user = self.enter()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave(self._user)

    @property
    def here(self) -> bool:
        """Whether the portal belongs to this process, and not to the parent of a fork."""
        return os.getpid() == self._process

    @property
    def is_own_thread(self) -> bool:
        """Whether the caller is on the loop's own thread."""
        return threading.get_ident() == self._thread and self.here

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop, which exists while there are users."""
        return self._loop

    # -- calls

    def run(self, coroutine: Coroutine[Any, Any, T], reclaim: Callable[[T], object] | None = None) -> T:
        """Run a coroutine on the loop, and return its result.

        Args:
            coroutine: runs with a copy of the caller's context variables.
            reclaim: called with the result if it arrives after Ctrl-C, or another exception of a signal
                handler, has interrupted the caller.

        Raises:
            BaseException: what the coroutine raises; or what interrupted this thread, after the coroutine was
                cancelled and has ended.
            Closed: the portal was closed in the meantime.
            RuntimeError: the caller is the loop's own thread, or a forked child.
        """
        try:
            return self.run_made(lambda: coroutine, reclaim)
        finally:
            if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
                coroutine.close()  # it was never started

    def run_made(
        self, make: Callable[[], Coroutine[Any, Any, T]], reclaim: Callable[[T], object] | None = None, *,
        interruptible: bool = False,
    ) -> T:
        """Run the coroutine that *make* returns; *make* is called on the loop's thread. See ``run``.

        Args:
            interruptible: whether, in the main thread, a signal whose handler returns cancels the coroutine.

        Raises:
            InterruptedError: such a signal has cancelled it.
        """
        self.check_caller()
        if self._running is None:
            raise Closed("the portal is closed")
        call = Call(make, reclaim)
        try:
            self._submit(call)
            call.wait(self._submit if interruptible else None)
            error, value = call.error, call.value
        except BaseException:
            call.abandon(self._submit)
            raise
        if error is None:
            result: T = value
            return result
        try:
            raise error
        finally:
            del error, call, value  # they refer to this frame: no cycle

    def call(self, function: Callable[[], T]) -> T:
        """Call a function on the loop's thread, and return its result. See ``run``."""

        async def make_call() -> T:
            return function()

        return self.run_made(make_call)

    def check_caller(self) -> None:
        """Raise RuntimeError if the caller is the loop's own thread or a forked child."""
        if os.getpid() != self._process:
            raise RuntimeError(
                "this object was made before the process was forked and belongs to the parent: make a new one"
            )
        if threading.get_ident() == self._thread:
            raise RuntimeError(
                "a blocking call on the event loop's own thread would wait for itself: await the async method"
            )

    # -- inside

    def _submit(self, call: Call[Any]) -> None:
        self._new.append(call)
        if not self._waking:
            self._waking = True
            try:
                self._loop.call_soon_threadsafe(self._go_on)
            except BaseException as exc:
                self._waking = False  # or the loop would never be woken again
                if not (isinstance(exc, RuntimeError) and self._loop.is_closed()):
                    raise
                self._give_up_new()

    def _go_on(self) -> None:
        self._waking = False
        while self._new:
            self._new.popleft().step(self._loop)

    def _give_up_new(self) -> None:
        # The loop is closed and cannot do it; several threads may be here at once.
        with contextlib.suppress(IndexError):
            while True:
                self._new.popleft().give_up()

    def _start(self) -> None:
        started: Future[Any] = Future()

        # Not at the top: blocking queues that never wait need no loop.
        import anyio
        from anyio.from_thread import BlockingPortal

        async def live() -> None:
            async with BlockingPortal() as running:
                self._loop = asyncio.get_running_loop()
                self._thread = threading.get_ident()
                started.set_result(running)
                await running.sleep_until_stopped()

        def run() -> None:
            try:
                anyio.run(live, backend="asyncio", backend_options=self._options)
            except BaseException as exc:
                if started.done():
                    raise
                started.set_exception(exc)

        # Not anyio's start_blocking_portal: a generator that is left over is finalized when the interpreter
        # exits, also in a forked child, where it would wait for ever for a thread that does not exist.
        thread = threading.Thread(target=run, name="communica_like portal", daemon=True)
        thread.start()
        self._running = started.result()
        self._runner = thread
        self._waking = False
        at_exit(self._call_farewells)  # which also keeps this object alive

    def _stop(self) -> None:
        running, self._running = self._running, None
        self._thread = 0
        running.call(running.stop)
        self._runner.join()  # the loop has cancelled all tasks and ended
        _callbacks.pop(self._call_farewells, None)
        self._waking = False
        self._give_up_new()

    def _call_farewells(self) -> None:
        if os.getpid() == self._process:
            for farewell in reversed(list(self._farewells.values())):
                try:
                    farewell()
                except KeyboardInterrupt:
                    logger.warning("%r: closing at exit was interrupted", self)
                except Exception:
                    logger.exception("%r: closing at exit failed", self)


_shared = Portal()


def shared_portal() -> Portal:
    """Return the process's portal, which objects use by default."""
    return _shared


def _renew_shared(_: object) -> None:
    """Give a forked child a portal of its own."""
    global _shared
    _shared = Portal()


fork.reset_in_child(shared_portal, _renew_shared)  # before all objects that use it
