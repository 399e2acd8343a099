"""What a handler takes and gives, by its annotations."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from types import NoneType
from typing import Any, Never, NoReturn, get_args, get_origin, get_type_hints

_POSITIONAL = (
    inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
)


def handler_models(handler: Callable[..., Any]) -> tuple[Any, Any]:
    """Return the annotations of the first positional parameter and of the returned value.

    None stands for a missing annotation, and for the return annotations Never and NoReturn; ``NoneType`` for
    the annotation ``None``, and for the data of a handler without parameters. Of ``Awaitable[X]`` and
    ``Coroutine[Any, Any, X]`` it gives X. For the exceptions see AdaptixSerializer.of.
    """
    if inspect.isclass(handler):
        raise TypeError(f"{handler!r} is a class, not a handler")
    parameters = inspect.signature(handler).parameters.values()
    first = next((each for each in parameters if each.kind in _POSITIONAL), None)
    if any(each.kind is each.KEYWORD_ONLY and each.default is each.empty for each in parameters):
        raise TypeError(f"the handler {handler!r} requires keyword arguments")
    function = _function_of(handler)
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as exc:
        exc.add_note(f"while resolving annotations of the handler {handler!r}; or name the models instead")
        raise
    request = hints.get(first.name) if first is not None else NoneType
    return request, _awaited(hints.get("return"))


def _function_of(handler: Callable[..., Any]) -> Callable[..., Any]:
    while True:
        handler = inspect.unwrap(handler)
        if isinstance(handler, partial):
            handler = handler.func
        elif inspect.isroutine(handler):
            return handler
        else:
            handler = type(handler).__call__


def _awaited(hint: Any) -> Any:
    if hint in (Never, NoReturn):
        return None
    if get_origin(hint) in (Awaitable, Coroutine):
        return get_args(hint)[-1]
    return hint
