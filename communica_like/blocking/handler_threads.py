"""The threads in which the handlers of blocking entities run."""

from __future__ import annotations

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

__all__ = ["WorkerRoutes", "Workers"]

P = ParamSpec("P")
T = TypeVar("T")

_AS_THEY_ARE = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)


class Workers(Executor):
    """A number of threads, started as they are needed, that may be stopped and started again.

    Jobs begin in the order of ``submit``. The threads are daemons: one that is stuck in its job keeps no
    process from exiting. While the interpreter exits, those that are there go on.

    Args:
        count: how many handlers run at a time; others wait for their turn.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"handlers need one thread at least, not {count}")
        self._count = count
        self._lock = threading.Lock()
        self._crew: _Crew | None = None
        self._wanted = False

    def start(self) -> None:
        """Start a thread, if there are handlers for it: an interpreter that exits can start none any more."""
        if self._wanted:
            with self._lock:
                self._present().grow()

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            self._present().take(future, partial(function, *args, **kwargs))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._lock:
            crew, self._crew = self._crew, None
        if crew is not None:
            crew.dismiss(cancel_futures)
            if wait:
                for thread in crew.threads:
                    thread.join()

    def wrap(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """Return a handler that calls this one in a thread; an ``async def`` one as it is."""
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

    def _present(self) -> _Crew:
        if self._crew is None:
            self._crew = _Crew(self._count)
        return self._crew


class _Crew:
    """The threads between a start and a stop.

    Args:
        most: of them.
    """

    def __init__(self, most: int) -> None:
        self.threads: list[threading.Thread] = []
        self._most = most
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._undone = 0  # jobs

    def grow(self) -> None:
        """Start as many threads as there are jobs, and one at least."""
        while len(self.threads) < min(max(1, self._undone), self._most):
            thread = threading.Thread(target=self._work, name="communica_like handler", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                if not self.threads:
                    raise
                return  # the interpreter exits, or there are too many: those that are there will do
            self.threads.append(thread)

    def take(self, future: Future[Any], function: Callable[[], Any]) -> None:
        """Do it, when its turn has come."""
        with self._lock:
            self._undone += 1
        try:
            self.grow()
        except RuntimeError:
            with self._lock:
                self._undone -= 1
            raise
        self._jobs.put((future, function))

    def dismiss(self, cancel: bool) -> None:
        """End the threads when all is done; what has not begun is cancelled, if so asked."""
        while cancel:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if job is not None:
                job[0].cancel()
        for _ in self.threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, function = job
            result: Any = None
            error: BaseException | None = None
            wanted = future.set_running_or_notify_cancel()
            if wanted:
                try:
                    result = function()
                except (KeyboardInterrupt, SystemExit) as exc:
                    # It would end the event loop, which is not this thread's to end.
                    error = RuntimeError(f"{type(exc).__name__} in a thread of communica_like")
                    error.__cause__ = exc
                except BaseException as exc:
                    error = exc
            with self._lock:
                self._undone -= 1
            if error is not None:
                future.set_exception(error)
            elif wanted:
                future.set_result(result)
            del job, future, function, result, error  # must not wait here for the next job


class WorkerRoutes(RouteTable):
    """The own table of a blocking entity: handlers that are added run in its threads.

    Args:
        table: the async entity's own, to which they are added.
        workers: the threads.
    """

    def __init__(self, table: RouteTable, workers: Workers) -> None:
        super().__init__(table.name, serializer=table.serializer)
        self._handlers = table.handlers
        self._workers = workers

    def add_route(
        self, route: str, handler: Callable[..., Any], serializer: Serializer | None = None
    ) -> None:
        super().add_route(route, self._workers.wrap(handler), serializer)
