"""Workers: the threads in which handlers of blocking entities run."""

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

P = ParamSpec("P")
T = TypeVar("T")

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
        self._lock = threading.Lock()
        self._pool: _Threads | None = None
        self._wanted = False

    def start(self) -> None:
        """Start a thread if there are handlers: an exiting interpreter cannot start one any more."""
        if self._wanted:
            with self._lock:
                self._current().grow()

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            self._current().take(future, partial(function, *args, **kwargs))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.dismiss(cancel_futures)
            if wait:
                for thread in pool.threads:
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

    def _current(self) -> _Threads:
        if self._pool is None:
            self._pool = _Threads(self._count)
        return self._pool


class _Threads:
    """The threads between a start and a stop.

    Args:
        most: the largest number of threads.
    """

    def __init__(self, most: int) -> None:
        self.threads: list[threading.Thread] = []
        self._most = most
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._unfinished = 0  # jobs

    def grow(self) -> None:
        """Start a thread for each job, up to the limit, and at least one."""
        while len(self.threads) < min(max(1, self._unfinished), self._most):
            thread = threading.Thread(target=self._work, name="communica_like handler", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                if not self.threads:
                    raise
                return  # the interpreter exits, or the system's limit is reached: use those that exist
            self.threads.append(thread)

    def take(self, future: Future[Any], function: Callable[[], Any]) -> None:
        """Queue a job."""
        with self._lock:
            self._unfinished += 1
        try:
            self.grow()
        except RuntimeError:
            with self._lock:
                self._unfinished -= 1
            raise
        self._jobs.put((future, function))

    def dismiss(self, cancel: bool) -> None:
        """End the threads after the queued jobs, or after cancelling those that have not started."""
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
                    # On the event loop it would end the loop, and with it all other calls.
                    error = RuntimeError(f"{type(exc).__name__} in a thread of communica_like")
                    error.__cause__ = exc
                except BaseException as exc:
                    error = exc
            with self._lock:
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
        self._handlers = table.handlers
        self._workers = workers

    def add_route(
        self, route: str, handler: Callable[..., Any], serializer: Serializer | None = None
    ) -> None:
        super().add_route(route, self._workers.wrap(handler), serializer)
