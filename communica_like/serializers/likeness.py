"""Comparison of an object with its loaded copy, for differences that a loader does not notice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, NewType, Union, get_args, get_origin, is_typeddict

_ATOMS = frozenset({NoneType, bool, int, float, complex, str, bytes})
_TEXT = (str, bytes, bytearray, memoryview)
_FIELD_LISTS = ("__dataclass_fields__", "__attrs_attrs__", "__pydantic_fields__")
_MODEL_MARKS = ("__dict__", "_fields", *_FIELD_LISTS)
_NUMBERS: dict[Any, tuple[type, ...]] = {float: (float, int), complex: (complex, float, int)}


def model_classes(model: Any) -> tuple[type, ...]:
    """Return the classes of which objects of the type *model* are instances.

    The result is ``(object,)`` for a type without a class at run time: ``Any``, a ``Literal``, a protocol.
    """
    if model is None:
        return (NoneType,)
    if isinstance(model, NewType):
        return model_classes(model.__supertype__)
    origin = get_origin(model)
    if origin is Annotated:
        return model_classes(model.__origin__)
    if origin is Union or origin is UnionType:
        return tuple(cls for each in get_args(model) for cls in model_classes(each))
    cls = origin or model
    if is_typeddict(cls):
        return (dict,)
    if cls is Any or not isinstance(cls, type) or getattr(cls, "_is_protocol", False):
        return (object,)
    return _NUMBERS.get(cls, (cls,))


def find_difference(sent: Any, loaded: Any) -> str | None:
    """Return where *sent* is of another kind than *loaded*, its copy that went through a serializer.

    Kinds are compared, not values: text or a mapping must not have become another collection, and an object
    of a model must come from an object of that class, a subclass or a base class. The comparison descends
    into mappings, sequences and the fields of dataclasses, attrs and pydantic models, but not into sets.

    Returns:
        One line that names the place, or None.
    """
    found = _find(sent, loaded, set())
    return found and found.removeprefix(": ").removeprefix(".")


def _find(sent: Any, loaded: Any, seen: set[int]) -> str | None:
    if sent is loaded or type(loaded) in _ATOMS or id(loaded) in seen:
        return None
    if _differs(sent, loaded):
        return f": {type(sent).__qualname__} would arrive as {type(loaded).__qualname__}"
    seen.add(id(loaded))  # a constructor may have linked children to their parent
    for step, key, sent_part, loaded_part in _parts(sent, loaded):
        if found := _find(sent_part, loaded_part, seen):
            return step.format(key) + found
    return None


def _differs(sent: Any, loaded: Any) -> bool:
    if type(sent) is type(loaded) or isinstance(sent, type(loaded)) or isinstance(loaded, type(sent)):
        return False
    if any(hasattr(loaded, mark) for mark in _MODEL_MARKS):
        return True
    is_collection = isinstance(loaded, Iterable) and not isinstance(loaded, (*_TEXT, Mapping))
    return is_collection and isinstance(sent, (*_TEXT, Mapping))


def _parts(sent: Any, loaded: Any) -> Iterator[tuple[str, Any, Any, Any]]:
    if isinstance(loaded, Mapping) and isinstance(sent, Mapping):
        for key, part in loaded.items():
            yield "[{!r}]", key, sent.get(key, part), part
    elif isinstance(loaded, Sequence) and isinstance(sent, Sequence):
        for index, (sent_part, part) in enumerate(zip(sent, loaded, strict=False)):
            yield "[{}]", index, sent_part, part
    else:
        for name in _attribute_names(type(loaded)):
            part = getattr(loaded, name, None)
            yield ".{}", name, getattr(sent, name, part), part


def _attribute_names(cls: type) -> tuple[str, ...]:
    for mark in _FIELD_LISTS:
        if fields := getattr(cls, mark, None):
            return tuple(each if isinstance(each, str) else each.name for each in fields)
    return ()
