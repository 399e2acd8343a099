"""The event loop of blocking programs: in a thread of its own, entered by an anyio portal."""

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
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from ...exceptions import Closed
from ...features import optional_package
from .call import Call
from .interrupts import SignalWatch, uninterrupted
from .loop import portal_loop

__all__ = ["Portal", "at_exit", "not_at_exit", "shared_portal"]

_farewells: Final[dict[Callable[[], object], None]] = {}


def at_exit(farewell: Callable[[], object]) -> None:
    """Call it when the interpreter exits: the last that was added first.

    That is before what others have left for the end until now, such as the killing of child processes.
    """
    _farewells[farewell] = None
    atexit.unregister(_say_all)
    atexit.register(_say_all)
    # Children of multiprocessing may end without what atexit has; they have a register of their own.
    processes, util = (sys.modules.get(f"multiprocessing.{name}") for name in ("process", "util"))
    if processes is not None and util is not None and processes.parent_process() is not None:
        util.Finalize(None, _say_all, exitpriority=100)


def not_at_exit(farewell: Callable[[], object]) -> None:
    """There is no need for it any more."""
    _farewells.pop(farewell, None)


def _say_all() -> None:
    for farewell in reversed(list(_farewells)):
        farewell()


logger = logging.getLogger("communica_like")

T = TypeVar("T")


class Portal:
    """Runs coroutines for threads that have no event loop: anyio's BlockingPortal, shared and counted.

    Blocking objects use one that all of a process share, unless they are given another. It starts with its
    first user and ends with its last.

    Args:
        uvloop: whether the loop is uvloop's, which has to be installed.

    A portal is itself a user while ``with portal:`` lasts. Any thread may use it; many at once share its
    wake-ups. After a fork the child has to make what it needs anew: calls through a portal of its parent
    raise RuntimeError.
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
        """Become a user; return what to ``leave`` with. Starts the loop for the first one.

        Args:
            farewell: called, from the main thread, if the interpreter exits before ``leave``.

        Raises:
            RuntimeError: this process was forked off the portal's; or it is the loop's own thread.
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
        """Be no user any more. The last one stops the loop, and waits for it to end.

        In a forked process this does nothing.

        Raises:
            RuntimeError: this is the loop's own thread.
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave(self._user)

    @property
    def here(self) -> bool:
        """Whether it is this process's, and not that of the one it was forked off."""
        return os.getpid() == self._process

    @property
    def is_own_thread(self) -> bool:
        """Whether the caller is on the loop's own thread."""
        return threading.get_ident() == self._thread and self.here

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop; there is one while there are users."""
        return self._loop

    # -- calls

    def run(self, coroutine: Coroutine[Any, Any, T], reclaim: Callable[[T], object] | None = None) -> T:
        """Run a coroutine on the loop, and return its result.

        Args:
            coroutine: its context variables are the caller's.
            reclaim: called with a result that came when the caller was already on its way out, by Ctrl-C or
                another exception in this thread; that is raised when the coroutine has ended.

        Raises:
            BaseException: what the coroutine raises; what is raised in this thread meanwhile.
            Closed: the portal was closed meanwhile.
            RuntimeError: this is the loop's own thread, or a forked process.
        """
        try:
            return self.run_made(lambda: coroutine, reclaim)
        finally:
            if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
                coroutine.close()  # it was not even begun

    def run_made(
        self,
        make: Callable[[], Coroutine[Any, Any, T]],
        reclaim: Callable[[T], object] | None = None,
        *,
        interruptible: bool = False,
    ) -> T:
        """Run the coroutine that *make* returns, which is called on the loop's thread. As ``run``.

        Args:
            interruptible: in the main thread, a signal cancels it also if the signal's handler returns.

        Raises:
            InterruptedError: that was so.
        """
        self.check_caller()
        if self._running is None:
            raise Closed("the portal is closed")
        call = Call(make, reclaim)
        try:
            self._submit(call)
            if interruptible and SignalWatch.possible():
                call.wait_or_notice(self._submit)
            else:
                call.wait()
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
            del error, call, value  # they refer to this frame

    def call(self, function: Callable[[], T]) -> T:
        """Call a function on the loop's thread, and return its result. As ``run``."""

        async def make_call() -> T:
            return function()

        return self.run_made(make_call)

    def check_caller(self) -> None:
        """Raise RuntimeError if this is the loop's own thread, or a forked process."""
        if os.getpid() != self._process:
            raise RuntimeError(
                "this was made before the process was forked, and belongs to its parent: make another one"
            )
        if threading.get_ident() == self._thread:
            raise RuntimeError(
                "a blocking call on the event loop's own thread would wait for itself: await the async one"
            )

    # -- inside

    def _submit(self, call: Call[Any]) -> None:
        self._new.append(call)
        if not self._waking:
            self._waking = True
            try:
                self._loop.call_soon_threadsafe(self._go_on)
            except BaseException as exc:
                self._waking = False  # or nobody would ever wake the loop again
                if not (isinstance(exc, RuntimeError) and self._loop.is_closed()):
                    raise
                self._give_up_new()

    def _go_on(self) -> None:
        self._waking = False
        while self._new:
            self._new.popleft().step(self._loop)

    def _give_up_new(self) -> None:
        # The loop is closed, and nobody else does it; several threads may be here.
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

        # Not anyio's start_blocking_portal: that is a generator, and one that is left over is ended when the
        # interpreter exits, also in a forked process; there it would wait for ever for a thread that is gone.
        thread = threading.Thread(target=run, name="communica_like portal", daemon=True)
        thread.start()
        self._running = started.result()
        self._runner = thread
        self._waking = False
        at_exit(self._say_farewells)  # which also keeps this, if nobody else refers to it

    def _stop(self) -> None:
        running, self._running = self._running, None
        self._thread = 0
        running.call(running.stop)
        self._runner.join()  # the loop has cancelled all tasks and ended
        not_at_exit(self._say_farewells)
        self._waking = False
        self._give_up_new()

    def _say_farewells(self) -> None:
        if os.getpid() == self._process:
            for farewell in reversed(list(self._farewells.values())):
                try:
                    farewell()
                except KeyboardInterrupt:
                    logger.warning("%r: interrupted, closing at exit was cut short", self)
                except Exception:
                    logger.exception("%r: closing at exit failed", self)


_shared: Portal | None = None
_shared_lock = threading.Lock()


def shared_portal() -> Portal:
    """Return the portal of this process, for all who do not bring their own."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = Portal()
        return _shared


def _forget_shared() -> None:
    """A forked process has no loop yet, whatever its parent had; and nobody holds the lock."""
    global _shared, _shared_lock
    _shared = None
    _shared_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_shared)
