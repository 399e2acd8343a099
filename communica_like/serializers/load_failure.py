"""Error texts for exceptions of adaptix."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator
from typing import Any, get_origin

from communica_like.features import optional_package

_MAX_PROBLEMS = 8
_MAX_PATH = 200


def describe_failure(exc: BaseException) -> str:
    """Return one line of text about *exc*, which an adaptix loader or dumper raised.

    It lists the problems as ``orders[1].price: expected int, got 'x'``, separated by ``; ``. Long paths and
    values are shortened, and only the first 8 problems are listed. How precise the paths are depends on the
    retort's ``debug_trail``.
    """
    problems = list(_problems(exc))
    texts = [f"{path}: {text}" if path else text for path, text in problems[:_MAX_PROBLEMS]]
    if len(problems) > _MAX_PROBLEMS:
        texts.append(f"and {len(problems) - _MAX_PROBLEMS} more")
    return "; ".join(texts)


def type_name(hint: Any) -> str:
    """Return the name of *hint* for an error message: ``int``, ``list[int]``, ``Order``."""
    return hint.__qualname__ if isinstance(hint, type) and get_origin(hint) is None else str(hint)


def _problems(exc: BaseException) -> Iterator[tuple[str, str]]:
    # A stack instead of recursion: a circular object causes a thousand nested groups.
    trails = optional_package("adaptix.struct_trail", extra="adaptix")
    errors = optional_package("adaptix.load_error", extra="adaptix")
    todo = [("", exc)]
    while todo:
        path, each = todo.pop()
        path = _join(path, trails.get_trail(each), trails)
        if isinstance(each, errors.UnionLoadError):
            yield path, f"fits no variant ({' | '.join(describe_failure(sub) for sub in each.exceptions)})"
        elif isinstance(each, BaseExceptionGroup):
            todo.extend((path, sub) for sub in reversed(each.exceptions))
        else:
            yield _shorten(path), _leaf_text(each, errors)


def _join(path: str, trail: Iterable[Any], trails: Any) -> str:
    for step in trail:
        if isinstance(step, trails.ItemKey):
            path += f"[key {step.key!r}]"
        else:
            name = step.name if isinstance(step, trails.Attr) else step
            is_name = isinstance(name, str) and name.isidentifier()
            path += f".{name}" if is_name else f"[{name!r}]"
    return path.removeprefix(".")


def _shorten(path: str) -> str:
    return path if len(path) <= _MAX_PATH else f"{path[:_MAX_PATH]}..."


def _leaf_text(exc: BaseException, errors: Any) -> str:
    match exc:
        case errors.ExcludedTypeLoadError():
            # adaptix 3.0.0b12 confuses the two.
            value, excluded = exc.input_value, exc.excluded_type
            if isinstance(value, type):
                value, excluded = excluded, value
            text = f"expected {type_name(exc.expected_type)} other than {type_name(excluded)}"
            return f"{text}, got {reprlib.repr(value)}"
        case errors.TypeLoadError():
            return f"expected {type_name(exc.expected_type)}, got {reprlib.repr(exc.input_value)}"
        case errors.NoRequiredFieldsLoadError():
            return f"missing {', '.join(sorted(exc.fields))}"
        case errors.ExtraFieldsLoadError():
            return f"unexpected {reprlib.repr(sorted(exc.fields))}"
        case errors.MsgLoadError():
            return f"{exc.msg}, got {reprlib.repr(exc.input_value)}"
        case errors.BadVariantLoadError():
            allowed = ", ".join(sorted(map(repr, exc.allowed_values)))
            return f"expected one of {allowed}, got {reprlib.repr(exc.input_value)}"
        case _:
            return f"{type(exc).__name__}: {' '.join(_shorten(str(exc)).split())}"
