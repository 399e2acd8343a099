"""What may be a handler, and how it is called."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import copy_context
from typing import Any, TypeVar, overload

from ...abc import Serializer
from ...exceptions import SerializerError
from ...serializers import PickleSerializer
from .context import Context

__all__ = ["Codecs", "Handler", "check_serializer", "threaded_handler"]


def check_serializer(serializer: Any) -> None:
    """Raise TypeError unless it is a serializer, and one for what comes from elsewhere."""
    if isinstance(serializer, PickleSerializer):
        raise TypeError("a pickle runs what its sender wants: it is for queues, and not for entities")
    if not isinstance(serializer, Serializer):
        raise TypeError(f"a serializer is expected, such as JsonSerializer(), not {serializer!r}")


class Codecs:
    """Dumps requests and loads answers; whatever a serializer raises becomes a SerializerError."""

    __slots__ = ("_dump", "_load", "serializer")

    def __init__(self, serializer: Serializer) -> None:
        check_serializer(serializer)
        self.serializer = serializer
        self._dump = serializer.request_codec().dump
        self._load = serializer.response_codec().load

    def dump_request(self, data: Any) -> bytes:
        """Return *data* as bytes."""
        try:
            body = self._dump(data)
            if type(body) is not bytes:
                raise TypeError(f"dump returned {type(body).__qualname__}, not bytes")
        except Exception as exc:
            raise SerializerError(f"the data cannot be dumped: {exc!r}") from exc
        return body

    def load_answer(self, body: bytes) -> Any:
        """Return the object in an answer."""
        try:
            return self._load(body)
        except Exception as exc:
            raise SerializerError(f"the answer cannot be loaded: {exc!r}") from exc


Function = Callable[..., Any]
F = TypeVar("F", bound=Function)


class Handler:
    """A user's function with the codecs of its route.

    Args:
        function: ``def`` or ``async def``; function, method, partial or callable object. It takes the
            data, or the data and a Context. The second is so if two arguments are required, or if the
            second is named ``context`` or ``ctx`` or annotated as Context.
        serializer: for its requests and answers.

    Raises:
        TypeError: it cannot be called so, or is a generator function.
    """

    __slots__ = ("dump", "function", "is_async", "load", "name", "serializer", "wants_context")

    def __init__(self, function: Function, serializer: Serializer) -> None:
        if not callable(function):
            raise TypeError(f"a handler is callable; {function!r} is not")
        check_serializer(serializer)
        self.function = function
        self.serializer = serializer
        self.name = name_of(function)
        if _is_any(function, inspect.isgeneratorfunction, inspect.isasyncgenfunction):
            raise TypeError(f"a handler returns one answer; {self.name} is a generator function")
        self.wants_context = takes_context(function, self.name)
        self.is_async = inspect.iscoroutinefunction(function)
        self.load = serializer.request_codec().load
        self.dump = serializer.response_codec().dump

    def __repr__(self) -> str:
        return f"<Handler {self.name}>"


def _is_any(function: Function, *tests: Callable[[object], bool]) -> bool:
    # A callable object is what its __call__ is.
    call = inspect.getattr_static(type(function), "__call__", None)
    return any(test(function) or test(call) for test in tests)


def name_of(function: Function) -> str:
    """Return a name for log lines."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{getattr(function, '__module__', None) or '?'}.{name}"


def takes_context(function: Function, name: str) -> bool:
    """Return whether the handler takes data and context; raise TypeError if it takes neither form."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:
        return False  # a builtin that does not tell
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    rest = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if len(required) > 2 or keywords or not (positional or rest):
        found = inspect.signature(function)
        raise TypeError(f"a handler takes (data) or (data, context); {name} takes {found}")
    if len(positional) < 2:
        return False
    second = positional[1]
    named_so = second.name in ("context", "ctx") or _is_context(second.annotation)
    return len(required) == 2 or named_so


def _is_context(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.rpartition(".")[2] == "Context"
    return annotation is Context


@overload
def threaded_handler(function: F, /) -> F: ...
@overload
def threaded_handler(executor: Executor | None = None, /) -> Callable[[F], F]: ...
def threaded_handler(function: Any = None, /) -> Any:
    """Make a blocking ``def`` handler run in a thread, so that it does not hold up the event loop.

    ``@threaded_handler``, ``@threaded_handler()`` or ``@threaded_handler(executor)``. Without an
    executor the loop's default one is used, which has a limited number of threads: further calls wait.
    Contextvars are passed on. Handlers in threads run at the same time and end in any order. A
    cancelled request stops waiting for its thread, but cannot stop it.

    Raises:
        TypeError: the function is ``async def``.
    """
    if function is None or isinstance(function, Executor):
        return functools.partial(_in_thread, executor=function)
    return _in_thread(function, executor=None)


def _in_thread(function: Function, *, executor: Executor | None) -> Function:
    if not callable(function):
        raise TypeError(f"a handler is callable; {function!r} is not")
    if _is_any(function, inspect.iscoroutinefunction):
        raise TypeError(f"threaded_handler is for blocking functions; {name_of(function)} is async")

    async def call(*args: Any) -> Any:
        run = functools.partial(copy_context().run, _call, function, *args)
        return await asyncio.get_running_loop().run_in_executor(executor, run)

    return functools.update_wrapper(call, function)


def _call(function: Function, *args: Any) -> Any:
    try:
        return function(*args)
    except StopIteration as exc:
        # A future does not take it, and the caller would hang.
        raise RuntimeError("handler raised StopIteration") from exc
