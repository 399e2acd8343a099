"""Log records as JSON, and back."""

from __future__ import annotations

import json
import logging
from typing import Any, Final

__all__ = ["decode", "encode", "notice"]

_TEXTS: Final = ("name", "levelname", "pathname", "filename", "module")
_NUMBERS: Final = ("levelno", "created", "msecs", "relativeCreated")
_OPTIONAL: Final = ("lineno", "funcName", "thread", "threadName", "process", "processName", "taskName")
_OWN: Final = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {
    "asctime",
    "exc_text",
    "message",
    "taskName",
    "via",
}
_PLAIN: Final = (str, int, float, bool, type(None))


def encode(record: logging.LogRecord, formatter: logging.Formatter, via: list[str]) -> bytes:
    """Return what makes the same record elsewhere: its message with the arguments in it, and what JSON takes.

    Args:
        formatter: makes text of exceptions.
        via: where it is thrown, and was before.

    Raises:
        Exception: the message and its arguments do not fit, or cannot be made text.
    """
    fields: dict[str, Any] = {name: getattr(record, name) for name in (*_TEXTS, *_NUMBERS)}
    fields.update((name, getattr(record, name, None)) for name in _OPTIONAL)
    fields["msg"] = record.getMessage()
    if record.exc_info and not record.exc_text:
        fields["exc_text"] = formatter.formatException(record.exc_info)
    else:
        fields["exc_text"] = record.exc_text
    fields["stack_info"] = record.stack_info
    fields["via"] = via
    extra = {name: value for name, value in record.__dict__.items() if name not in _OWN and _fits(value)}
    if extra:
        fields["extra"] = extra
    return _dump(fields)


def notice(count: int, via: list[str]) -> bytes:
    """Return a record that says, in the place of others, that they are missing."""
    text = f"{count} log records are missing here: there was no room for them"
    record = logging.LogRecord("communica_like.logging", logging.WARNING, __file__, 0, text, (), None)
    return encode(record, logging.Formatter(), via)


def decode(data: Any) -> logging.LogRecord:
    """Return a record of what ``encode`` made, loaded from JSON.

    Raises:
        ValueError: it is something else.
    """
    try:
        extra = data.get("extra") or {}
        if not all(isinstance(data[name], str) for name in (*_TEXTS, "msg")):
            raise TypeError("a text is none")
        if not all(isinstance(data[name], int | float) for name in _NUMBERS):
            raise TypeError("a number is none")
        record = logging.makeLogRecord({name: data.get(name) for name in (*_TEXTS, *_NUMBERS, *_OPTIONAL)})
        record.msg = data["msg"]
        record.exc_text = data["exc_text"]
        record.stack_info = data["stack_info"]
        record.__dict__["via"] = [str(url) for url in data["via"]]
        for name, value in extra.items():
            if not hasattr(record, name):
                setattr(record, name, value)
    except (AttributeError, KeyError, TypeError) as exc:
        raise ValueError(f"this is no log record: {exc!r}") from exc
    return record


def _fits(value: Any) -> bool:
    if type(value) in _PLAIN and value == value:
        return value not in (float("inf"), float("-inf"))
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _dump(fields: dict[str, Any]) -> bytes:
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")
