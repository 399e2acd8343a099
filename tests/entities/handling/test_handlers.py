from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import communica_like
from communica_like import Context, HandlerError, ReqError, threaded_handler
from communica_like.entities.handling.handlers import Handler
from communica_like.serializers import JsonSerializer
from tests.entities.stage import simple_pair


def plain(data: Any) -> Any:
    return ["plain", data]


async def coroutine(data: Any) -> Any:
    await asyncio.sleep(0)
    return ["coroutine", data]


class Holder:
    def method(self, data: Any) -> Any:
        return ["method", data]

    async def async_method(self, data: Any) -> Any:
        return ["async method", data]

    @staticmethod
    def static(data: Any) -> Any:
        return ["static", data]

    @classmethod
    def of_class(cls, data: Any) -> Any:
        return ["class", data]


class CallableObject:
    def __call__(self, data: Any) -> Any:
        return ["object", data]


class AsyncCallable:
    async def __call__(self, data: Any, context: Context) -> Any:
        return ["async object", data, context.route]


def two(kind: Any, data: Any) -> Any:
    return [kind, data]


class Later:
    """An awaitable that is no coroutine."""

    def __await__(self) -> Any:
        yield from asyncio.sleep(0).__await__()
        return ["later"]


@pytest.mark.parametrize(
    "handler, answer",
    [
        (plain, ["plain", 1]),
        (coroutine, ["coroutine", 1]),
        (Holder().method, ["method", 1]),
        (Holder().async_method, ["async method", 1]),
        (Holder.static, ["static", 1]),
        (Holder.of_class, ["class", 1]),
        (CallableObject(), ["object", 1]),
        (AsyncCallable(), ["async object", 1, ""]),
        (functools.partial(two, "partial"), ["partial", 1]),
        (functools.partial(coroutine), ["coroutine", 1]),
        (lambda data: coroutine(data), ["coroutine", 1]),
        (lambda data: asyncio.ensure_future(coroutine(data)), ["coroutine", 1]),
        (lambda data: Later(), ["later"]),
        (str, "1"),
        (abs, 1),
    ],
)
async def test_whatever_can_be_called(handler: Callable[..., Any], answer: Any) -> None:
    async with simple_pair(handler) as (_, client):
        assert await client.request(1) == answer


def by_two(a: Any, b: Any) -> None: ...
def by_name(data: Any, context: Any = None) -> None: ...
def by_short_name(data: Any, ctx: Any = None) -> None: ...
def by_annotation(data: Any, about: Context | None = None) -> None: ...
def only_data(data: Any) -> None: ...
def with_default(data: Any, other: Any = 1) -> None: ...
def rest(*args: Any) -> None: ...
def data_and_rest(data: Any, *args: Any) -> None: ...
def keywords(data: Any, *, option: int = 1, **more: Any) -> None: ...
def both_and_more(data: Any, context: Any, more: Any = 1) -> None: ...
def no_argument() -> None: ...
def keywords_only(**more: Any) -> None: ...
def optional_keyword(*, option: int = 1) -> None: ...
def all_defaults(data: Any = 1, other: Any = 2) -> None: ...


by_annotation.__annotations__["about"] = Context


def by_text(data: Any, about: Any = None) -> None: ...
def by_dotted_text(data: Any, about: Any = None) -> None: ...


by_text.__annotations__["about"] = "Context"
by_dotted_text.__annotations__["about"] = f"{communica_like.__name__}.Context"


@pytest.mark.parametrize(
    "handler",
    [by_two, by_name, by_short_name, by_annotation, by_text, by_dotted_text, both_and_more],
)
def test_who_gets_a_context(handler: Callable[..., Any]) -> None:
    assert Handler(handler, JsonSerializer()).wants_context


@pytest.mark.parametrize(
    "handler", [only_data, with_default, rest, data_and_rest, keywords, all_defaults, print, int]
)
def test_who_gets_data_only(handler: Callable[..., Any]) -> None:
    found = Handler(handler, JsonSerializer())
    assert not found.wants_context
    assert found.call is handler


@pytest.mark.parametrize("handler", [no_argument, keywords_only, optional_keyword])
def test_who_gets_nothing(handler: Callable[..., Any]) -> None:
    found = Handler(handler, JsonSerializer())
    assert not found.wants_context
    assert found.call(None) is None
    with pytest.raises(ReqError):
        found.call(1)


def three(a: Any, b: Any, c: Any) -> None: ...
def needs_keyword(data: Any, *, option: int) -> None: ...
def generator(data: Any) -> Iterator[int]:
    yield 1


async def async_generator(data: Any) -> AsyncIterator[int]:
    yield 1


class GeneratorCall:
    def __call__(self, data: Any) -> Iterator[int]:
        yield 1


def context_alone(ctx: Any) -> None: ...


context_alone.__annotations__["ctx"] = "Context"


class Counter:
    """Handlers without parameters."""

    def __init__(self) -> None:
        self.count = 0

    def method(self) -> int:
        self.count += 1
        return self.count

    async def async_method(self) -> int:
        await asyncio.sleep(0)
        return self.method()

    def __call__(self) -> int:
        return self.method()


@pytest.mark.parametrize(
    "make",
    [
        lambda counter: counter,
        lambda counter: counter.method,
        lambda counter: counter.async_method,
        lambda counter: lambda: counter.method(),
        lambda counter: functools.partial(Counter.method, counter),
        lambda counter: threaded_handler(counter.method),
    ],
)
async def test_no_parameters(make: Callable[[Counter], Callable[..., Any]]) -> None:
    counter = Counter()
    async with simple_pair(make(counter)) as (_, client):
        assert [await client.request(), await client.request(None)] == [1, 2]
        refused: list[Any] = [0, "", [], {}, False]
        for data in refused:
            with pytest.raises(ReqError, match="takes no data") as caught:
                await client.request(data)
            assert caught.value.code == 422
    assert counter.count == 2


@pytest.mark.parametrize("handler", [three, needs_keyword, context_alone])
def test_the_wrong_arguments(handler: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=rf"\(\), \(data\) or \(data, context\); .*{handler.__name__} takes"):
        Handler(handler, JsonSerializer())


@pytest.mark.parametrize(
    "handler", [generator, async_generator, functools.partial(generator), GeneratorCall()]
)
def test_generators(handler: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="generator function"):
        Handler(handler, JsonSerializer())


@pytest.mark.parametrize("wrong", [None, 5, "name"])
def test_what_cannot_be_called(wrong: Any) -> None:
    with pytest.raises(TypeError, match="callable"):
        Handler(wrong, JsonSerializer())
    if wrong is not None:
        with pytest.raises(TypeError, match="callable"):
            threaded_handler(wrong)


def test_names() -> None:
    def name(function: Callable[..., Any]) -> str:
        return Handler(function, JsonSerializer()).name

    assert name(plain) == f"{__name__}.plain"
    assert name(functools.partial(functools.partial(two, 1))) == f"{__name__}.two"
    assert name(threaded_handler(functools.partial(two, 1))) == f"{__name__}.two"
    assert name(CallableObject()) == f"{__name__}.CallableObject"
    assert name(Holder().method) == f"{__name__}.Holder.method"
    assert repr(Handler(plain, JsonSerializer())) == f"<Handler {__name__}.plain>"


# -- threads

tint = contextvars.ContextVar("tint", default="none")


@threaded_handler
def bare(data: Any) -> Any:
    return [threading.current_thread() is threading.main_thread(), data]


@threaded_handler()
def called(data: Any, context: Context) -> Any:
    return [threading.current_thread() is threading.main_thread(), data, context.route]


class Threaded:
    @threaded_handler
    def method(self, data: Any) -> Any:
        return [type(self).__name__, data]

    @staticmethod
    @threaded_handler
    def static(data: Any) -> Any:
        return ["static", data]


@pytest.mark.parametrize(
    "handler, answer",
    [
        (bare, [False, 1]),
        (called, [False, 1, ""]),
        (Threaded().method, ["Threaded", 1]),
        (Threaded.static, ["static", 1]),
        (threaded_handler(CallableObject()), ["object", 1]),
        (threaded_handler(functools.partial(two, "partial")), ["partial", 1]),
    ],
)
async def test_threads(handler: Callable[..., Any], answer: Any) -> None:
    async with simple_pair(handler) as (_, client):
        assert await client.request(1) == answer


async def test_an_executor_of_ones_own() -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as executor:

        @threaded_handler(executor)
        def handler(data: Any) -> str:
            return threading.current_thread().name

        async with simple_pair(handler) as (_, client):
            assert (await client.request(1)).startswith("mine")


async def test_threads_get_the_contextvars() -> None:
    inner: Any = threaded_handler(lambda data: tint.get())

    async def handler(data: Any) -> Any:
        tint.set(data)
        return await inner(data)

    async with simple_pair(handler) as (_, client):
        assert await asyncio.gather(*[client.request(name) for name in "abc"]) == ["a", "b", "c"]
    assert tint.get() == "none"


async def test_stop_iteration_in_a_thread_is_an_answer() -> None:
    @threaded_handler
    def handler(data: Any) -> Any:
        return next(iter(()))

    async with simple_pair(handler) as (_, client):
        with pytest.raises(HandlerError, match="StopIteration"):
            await asyncio.wait_for(client.request(1), 40)


@pytest.mark.parametrize("function", [coroutine, functools.partial(coroutine), AsyncCallable()])
def test_coroutines_need_no_thread(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="blocking functions"):
        threaded_handler(function)
    with pytest.raises(TypeError, match="blocking functions"):
        threaded_handler()(function)
