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
from ...exceptions import ReqError, SerializerError
from ...serializers import PickleSerializer
from .context import Context


def check_serializer(serializer: Any) -> None:
    """Raise TypeError unless *serializer* is one, and is safe for data from other processes."""
    if isinstance(serializer, PickleSerializer):
        raise TypeError("a pickle can run any code of its sender's: it is for queues, not for entities")
    if not isinstance(serializer, Serializer):
        raise TypeError(f"a serializer is expected, such as JsonSerializer(), not {serializer!r}")


class Codecs:
    """Dumps requests and loads responses; what a serializer raises becomes a SerializerError."""

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
        function: ``def`` or ``async def``; a function, method, partial or callable object. It takes no
            argument, the data, or the data and a Context. It gets a Context if it requires two arguments,
            or if the second one is named ``context`` or ``ctx`` or annotated as Context.
        serializer: for its requests and responses.

    Attributes:
        call: *function*, to be called with the data and, if ``wants_context``, a Context. For a function
            without parameters it raises ReqError unless the data is None.
        is_async: whether ``call`` returns a coroutine, and runs nothing of the function yet.

    Raises:
        TypeError: the function takes other arguments, or is a generator function.
    """

    __slots__ = ("call", "dump", "function", "is_async", "load", "name", "serializer", "wants_context")

    def __init__(self, function: Function, serializer: Serializer) -> None:
        if not callable(function):
            raise TypeError(f"a handler is callable; {function!r} is not")
        check_serializer(serializer)
        self.function = function
        self.serializer = serializer
        self.name = name_of(function)
        if _is_any(function, inspect.isgeneratorfunction, inspect.isasyncgenfunction):
            raise TypeError(f"a handler returns one answer; {self.name} is a generator function")
        arguments = count_arguments(function, self.name)
        self.wants_context = arguments == 2
        self.call = function if arguments else functools.partial(_call_without_data, function, self.name)
        self.is_async = inspect.iscoroutinefunction(function)
        self.load = serializer.request_codec().load
        self.dump = serializer.response_codec().dump

    def __repr__(self) -> str:
        return f"<Handler {self.name}>"


def _call_without_data(function: Function, name: str, data: Any) -> Any:
    if data is not None:
        raise ReqError(f"{name} takes no data", 422)
    return function()


def _is_any(function: Function, *tests: Callable[[object], bool]) -> bool:
    # A callable object is what its __call__ is.
    call = inspect.getattr_static(type(function), "__call__", None)
    return any(test(function) or test(call) for test in tests)


def name_of(function: Function) -> str:
    """Return a name for log lines."""
    while isinstance(function := inspect.unwrap(function), functools.partial):
        function = function.func
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{getattr(function, '__module__', None) or '?'}.{name}"


def count_arguments(function: Function, name: str) -> int:
    """Return how many arguments the handler is called with: 0, 1 (data) or 2 (data, context).

    Raises:
        TypeError: it cannot be called in any of these ways.
    """
    try:
        signature = inspect.signature(function)
    except ValueError:
        return 1  # a builtin that does not tell
    parameters = signature.parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if len(required) > 2 or keywords or (positional and _is_context(positional[0].annotation)):
        raise TypeError(f"a handler takes (), (data) or (data, context); {name} takes {signature}")
    if not positional:
        return int(any(p.kind is p.VAR_POSITIONAL for p in parameters))
    if len(positional) == 1:
        return 1
    second = positional[1]
    named_so = second.name in ("context", "ctx") or _is_context(second.annotation)
    return 2 if len(required) == 2 or named_so else 1


def _is_context(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.rpartition(".")[2] == "Context"
    return annotation is Context


@overload
def threaded_handler(function: F, /) -> F: ...
@overload
def threaded_handler(executor: Executor | None = None, /) -> Callable[[F], F]: ...
def threaded_handler(function: Any = None, /) -> Any:
    """Run a blocking ``def`` handler in a thread, so that it does not hold up the event loop.

    ``@threaded_handler``, ``@threaded_handler()`` or ``@threaded_handler(executor)``. Without an
    executor it uses the loop's default one, whose number of threads is limited: further calls wait.
    Contextvars are passed on. Handlers in threads run at the same time and end in any order. A
    cancelled request stops waiting for its thread, and the thread runs on.

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

    call.__name__ = "<unnamed>"  # for what has no name of its own, such as a partial
    return functools.update_wrapper(call, function)


def _call(function: Function, *args: Any) -> Any:
    try:
        return function(*args)
    except StopIteration as exc:
        # A future does not take it, and the caller would hang.
        raise RuntimeError("handler raised StopIteration") from exc
