"""Encoding of log records as JSON."""

from __future__ import annotations

import json
import logging
from typing import Any, Final

_TEXTS: Final = ("name", "levelname", "pathname", "filename", "module")
_NUMBERS: Final = ("levelno", "created", "msecs", "relativeCreated")
_OPTIONAL: Final = ("lineno", "funcName", "thread", "threadName", "process", "processName", "taskName")
_OWN: Final = {"asctime", "exc_text", "message", "taskName", "via"}.union(
    logging.LogRecord("", 0, "", 0, "", (), None).__dict__
)
_PLAIN: Final = (str, int, float, bool, type(None))


def encode(record: logging.LogRecord, formatter: logging.Formatter, via: list[str]) -> bytes:
    """Encode a record: its formatted message, standard attributes, and extras that JSON takes.

    Args:
        formatter: formats exceptions.
        via: the URLs that the record is thrown to, and was thrown to before.

    Raises:
        Exception: the message does not match its arguments, or one of them cannot be formatted.
    """
    fields: dict[str, Any] = {name: getattr(record, name) for name in (*_TEXTS, *_NUMBERS)}
    fields.update((name, getattr(record, name, None)) for name in _OPTIONAL)
    fields["msg"] = record.getMessage()
    fields["exc_text"] = record.exc_text
    if record.exc_info and not record.exc_text:
        fields["exc_text"] = formatter.formatException(record.exc_info)
    fields["stack_info"] = record.stack_info
    fields["via"] = via
    extra = {name: value for name, value in record.__dict__.items() if name not in _OWN and _fits(value)}
    if extra:
        fields["extra"] = extra
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


def notice(count: int, via: list[str]) -> bytes:
    """Encode a record that stands for *count* dropped ones."""
    text = f"{count} log records were dropped here: the backlog was full"
    record = logging.LogRecord("communica_like.logging", logging.WARNING, __file__, 0, text, (), None)
    return encode(record, logging.Formatter(), via)


def decode(data: Any) -> logging.LogRecord:
    """Return the record that ``encode`` made, after json.loads.

    Raises:
        ValueError: the data is not a log record.
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
        raise ValueError(f"not a log record: {exc!r}") from exc
    return record


def _fits(value: Any) -> bool:
    if type(value) in _PLAIN and value == value:
        return value not in (float("inf"), float("-inf"))
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
