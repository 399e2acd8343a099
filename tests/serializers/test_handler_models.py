from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Never, NoReturn

import pytest

from communica_like.serializers.handler_models import handler_models

if TYPE_CHECKING:
    from communica_like.abc import Link as Unknown


async def coroutine(request: int, context: str) -> list[int]:
    return [request]


def plain(request: Annotated[int, "tag"]) -> None: ...
def bare(request): ...  # type: ignore[no-untyped-def]
def of_none(request: None) -> Any: ...
def only_result(request) -> str: ...  # type: ignore[no-untyped-def,empty-body]
def awaitable(request: int) -> Awaitable[str]: ...  # type: ignore[empty-body]
def coroutine_object(request: int) -> Coroutine[Any, Any, str]: ...  # type: ignore[empty-body]
def never(request: int) -> Never: ...  # type: ignore[empty-body]
def no_return(request: int) -> NoReturn: ...  # type: ignore[empty-body]
def starred(*args: int, **kwargs: str) -> str: ...  # type: ignore[empty-body]
def with_connection(connection: str, request: int) -> bytes: ...  # type: ignore[empty-body]
def unresolved(request: Unknown) -> None: ...
def keyword_only(*, request: int) -> None: ...
def no_parameter() -> None: ...


@functools.wraps(coroutine)
async def wrapped(*args: Any, **kwargs: Any) -> Any: ...


class Handlers:
    async def method(self, request: int, context: object) -> str: ...  # type: ignore[empty-body]

    @classmethod
    def of_class(cls, request: int) -> str: ...  # type: ignore[empty-body]

    @staticmethod
    def static(request: int) -> str: ...  # type: ignore[empty-body]

    async def __call__(self, request: int) -> bytes: ...  # type: ignore[empty-body]


@pytest.mark.parametrize(
    ("handler", "models"),
    [
        (coroutine, (int, list[int])),
        (plain, (Annotated[int, "tag"], NoneType)),
        (bare, (None, None)),
        (lambda request: request, (None, None)),
        (of_none, (NoneType, Any)),
        (only_result, (None, str)),
        (awaitable, (int, str)),
        (coroutine_object, (int, str)),
        (never, (int, None)),
        (no_return, (int, None)),
        (starred, (int, str)),
        (no_parameter, (NoneType, NoneType)),
        (wrapped, (int, list[int])),
        (Handlers().method, (int, str)),
        (Handlers.of_class, (int, str)),
        (Handlers.static, (int, str)),
        (Handlers(), (int, bytes)),
        (functools.partial(with_connection, "c"), (int, bytes)),
        (functools.partial(functools.partial(with_connection), "c"), (int, bytes)),
        (functools.partial(Handlers().method, context=1), (int, str)),
        (functools.partial(Handlers()), (int, bytes)),
        (len, (None, None)),
    ],
)
def test_models(handler: Callable[..., Any], models: tuple[Any, Any]) -> None:
    assert handler_models(handler) == models


@pytest.mark.parametrize("handler", [5, int, Handlers, keyword_only])
def test_no_handler(handler: Any) -> None:
    with pytest.raises(TypeError):
        handler_models(handler)


def test_unresolved_name() -> None:
    with pytest.raises(NameError, match="Unknown") as caught:
        handler_models(unresolved)
    assert "unresolved" in caught.value.__notes__[0]
