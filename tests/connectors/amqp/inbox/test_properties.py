"""Messages of a shared inbox as AMQP has them, and what others may put there."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pamqp import commands, header

from communica_like.abc.inbox import Message
from communica_like.connectors.amqp.inbox.properties import (
    decode,
    encode,
    has_properties,
    largest_message,
    replies,
    reply,
    reply_key,
)

TOKEN = "0123456789abcdef"


def message(**changes: Any) -> Message:
    fields = {
        "ident": 7,
        "wants_answer": True,
        "route": "rüte".encode(),
        "body": b"body",
        "key": "k",
        "client_id": "me",
        "expires": 1000.25,
    }
    return Message(**{**fields, **changes})


@pytest.mark.parametrize(
    "changes",
    [{}, {"wants_answer": False, "expires": None}, {"route": b"", "body": b""}, {"ident": (1 << 64) - 1}],
)
@pytest.mark.parametrize("again", [False, True])
def test_there_and_back(changes: dict[str, Any], again: bool) -> None:
    sent = message(**changes)
    content = encode(sent, TOKEN, reply_key(TOKEN), 1000.0, again=again)
    assert has_properties(content)
    item = decode(content, sent.body)
    assert item.message == sent
    assert item.ident == f"{TOKEN}.{sent.ident}"
    assert item.reply_to == (reply_key(TOKEN) if sent.wants_answer else "")
    assert item.copy is again
    assert item.deliveries is None


@pytest.mark.parametrize(("now", "expiration"), [(1000.0, "250"), (2000.0, "0"), (-1e10, str((1 << 31) - 1))])
def test_the_broker_is_told_how_long_to_keep_it(now: float, expiration: str) -> None:
    content = header.ContentHeader()
    content.unmarshal(encode(message(), TOKEN, "r", now, again=False))
    assert content.properties.expiration == expiration
    assert content.properties.delivery_mode == 2


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"message_type": "request"},
        {"message_type": "throw", "headers": {"route": 3}, "correlation_id": "a.1"},
        {"message_type": "throw", "headers": {"route": ""}, "correlation_id": "a.0"},
        {"message_type": "throw", "headers": {"route": ""}, "correlation_id": "a.x"},
        {"message_type": "throw", "headers": {"route": ""}, "correlation_id": f"a.{1 << 64}"},
        {"message_type": "throw", "headers": {"route": "", "deadline": "late"}, "correlation_id": "a.1"},
        {"message_type": "request", "headers": {"route": ""}, "correlation_id": "a.1"},
        {"message_type": "request", "headers": {"route": ""}, "correlation_id": "a.1", "reply_to": "there"},
    ],
)
def test_what_others_put_there(properties: dict[str, Any]) -> None:
    content = header.ContentHeader(0, 0, commands.Basic.Properties(**properties)).marshal()
    with pytest.raises(ValueError, match="of another program"):
        decode(content, b"")


@pytest.mark.parametrize("seconds", [1e17, 1e300, 1.7e308])
def test_a_deadline_that_is_very_far(seconds: float) -> None:
    content = encode(message(expires=seconds), TOKEN, reply_key(TOKEN), 1000.0, again=False)
    expires = decode(content, b"body").message.expires
    assert expires is not None
    assert expires > 9e15


def test_bytes_that_are_no_properties() -> None:
    good = encode(message(), TOKEN, reply_key(TOKEN), 0.0, again=True)
    dice = random.Random(1)
    for _ in range(2000):
        broken = bytearray(good[: dice.randrange(len(good) + 1)])
        for _ in range(dice.randrange(4)):
            if broken:
                broken[dice.randrange(len(broken))] = dice.randrange(256)
        try:
            decode(bytes(broken), b"")
        except ValueError:
            continue


def test_answers() -> None:
    data = reply(1, 0, b"one") + reply(2, 3, b"") + reply((1 << 64) - 1, 255, b"x" * 1000)
    assert list(replies(data)) == [(1, 0, b"one"), (2, 3, b""), ((1 << 64) - 1, 255, b"x" * 1000)]
    assert list(replies(b"")) == []
    for end in (5, len(data) - 1):
        with pytest.raises(ValueError, match="too early"):
            list(replies(data[:end]))


@pytest.mark.parametrize(
    ("reason", "largest"),
    [
        ("406 PRECONDITION_FAILED - message size 27 is larger than configured max size 16777216", 16777216),
        ("406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q'", None),
        ("the queue was deleted", None),
    ],
)
def test_what_a_broker_says_of_its_limit(reason: str, largest: int | None) -> None:
    assert largest_message(reason) == largest
