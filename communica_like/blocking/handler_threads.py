"""Workers: the threads in which handlers of blocking entities run."""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

from ..abc import Serializer
from ..entities import RouteTable, threaded_handler
from ..entities.routes import Tables, each_table

P = ParamSpec("P")
T = TypeVar("T")

_Jobs = SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]  # None ends a thread

_AS_THEY_ARE = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)


class Workers(Executor):
    """An executor whose threads start when they are needed, and that may be stopped and started again.

    Jobs start in the order of ``submit``. The threads are daemons, so a job that hangs does not keep the
    process from exiting. Threads that exist keep working while the interpreter exits.

    Args:
        count: the number of handlers that run at a time; others wait for their turn.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"handlers need at least one thread, not {count}")
        self._count = count
        self._wanted = False
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._threads: list[threading.Thread] = []
        self._jobs: _Jobs = SimpleQueue()
        self._unfinished = 0  # jobs

    def start(self) -> None:
        """Start a thread if there are handlers: an exiting interpreter cannot start one any more."""
        if self._wanted:
            with self._lock:
                self._grow(1)

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            self._grow(self._unfinished + 1)
            self._unfinished += 1
            self._jobs.put((future, partial(function, *args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._lock:
            jobs, threads = self._jobs, self._threads
            self._begin()
        with contextlib.suppress(Empty):
            while cancel_futures and (job := jobs.get_nowait()) is not None:
                job[0].cancel()
        for _ in threads:
            jobs.put(None)
        for thread in threads if wait else ():
            thread.join()

    def wrap(self, handler: Any) -> Any:
        """Return a handler that calls this one in a thread. None and ``async def`` come back as they are."""
        call = inspect.getattr_static(type(handler), "__call__", None)
        if not callable(handler) or any(test(handler) or test(call) for test in _AS_THEY_ARE):
            return handler
        self._wanted = True
        return threaded_handler(self)(handler)

    def wrap_tables(self, tables: Tables) -> list[RouteTable]:
        """Return copies of *tables* whose handlers are called in threads."""
        copies = []
        for table in each_table(tables):
            if isinstance(table, RouteTable):
                copy = RouteTable(table.name, serializer=table.serializer)
                for route, handler in table.handlers.items():
                    copy.add_route(route.decode(), self.wrap(handler.function), handler.serializer)
                table = copy
            copies.append(table)  # or what RouteTable.joined refuses
        return copies

    def _grow(self, jobs: int) -> None:
        """Start threads until there is one for each job, up to the limit."""
        while len(self._threads) < min(jobs, self._count):
            thread = threading.Thread(
                target=self._work, args=(self._jobs,), name="communica_like handler", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:
                if not self._threads:
                    raise
                return  # the interpreter exits, or the system's limit is reached: use those that exist
            self._threads.append(thread)

    def _work(self, jobs: _Jobs) -> None:
        while (job := jobs.get()) is not None:
            future, function = job
            result: Any = None
            error: BaseException | None = None
            wanted = future.set_running_or_notify_cancel()
            if wanted:
                try:
                    result = function()
                except (KeyboardInterrupt, SystemExit) as exc:
                    # On the event loop it would end the loop, and with it all other calls.
                    error = RuntimeError(f"{type(exc).__name__} in a thread of communica_like")
                    error.__cause__ = exc
                except BaseException as exc:
                    error = exc
            with self._lock:
                if jobs is self._jobs:  # not those before a shutdown
                    self._unfinished -= 1
            if error is not None:
                future.set_exception(error)
            elif wanted:
                future.set_result(result)
            del job, future, function, result, error  # not to be kept alive until the next job


class WorkerRoutes(RouteTable):
    """A blocking entity's own table: handlers that are added run in its threads.

    Args:
        table: the async entity's own table, which they are added to.
        workers: the threads.
    """

    def __init__(self, table: RouteTable, workers: Workers) -> None:
        super().__init__(table.name, serializer=table.serializer)
        self.handlers = table.handlers
        self._workers = workers

    def add_route(
        self, route: str, handler: Callable[..., Any], serializer: Serializer | None = None
    ) -> None:
        super().add_route(route, self._workers.wrap(handler), serializer)
