"""The URLs of RmqConnector: what they hold, what they do not, and what is wrong with others."""

from __future__ import annotations

import pickle
import ssl
from typing import Any

import pytest

from communica_like import RmqConnector, connector_from

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "url, address, named, dumped",
    [
        ("amqp://localhost", "jobs", {}, "amqp://guest@localhost:5672/?address=jobs"),
        ("amqp://u:s3cr3t@h:1/v", "jobs", {}, "amqp://u@h:1/v?address=jobs"),
        ("amqps://u@h/", "jobs", {}, "amqps://u@h:5671/?address=jobs"),
        ("amqp://[::1]:7/%2F", "a/b c", {}, "amqp://guest@[::1]:7/?address=a/b%20c"),
        ("amqp://u%40x:s3cr3t@h/v%2Fw", "é", {}, "amqp://u%40x@h:5672/v%2Fw?address=%C3%A9"),
        (
            "amqps://h/?heartbeat=5&cafile=/ca.pem",
            "a&b=c",
            {"client_id": "me", "exchange_name": "x"},
            "amqps://guest@h:5671/?address=a%26b%3Dc&exchange_name=x&client_id=me&cafile=/ca.pem&heartbeat=5",
        ),
    ],
)
def test_forms(url: str, address: str, named: dict[str, Any], dumped: str) -> None:
    connector = RmqConnector(url, address, **named)
    assert connector.dump_state() == dumped
    again = RmqConnector.load_state(dumped, password=connector.password)
    assert again == connector
    assert hash(again) == hash(connector)
    assert again.dump_state() == dumped
    assert pickle.loads(pickle.dumps(connector)) == connector
    assert isinstance(connector_from(dumped), RmqConnector)


def test_the_password_is_nowhere() -> None:
    connector = RmqConnector(f"amqp://u:{SECRET}@h/", "jobs", authkey=b"k3y")
    shown = repr(connector) + str(connector) + connector.dump_state() + connector.url + repr(connector._key())
    assert SECRET not in shown
    assert "k3y" not in shown
    assert connector.password == SECRET
    assert connector == RmqConnector("amqp://u@h", "jobs", password=SECRET, authkey=b"k3y")
    assert connector != RmqConnector("amqp://u@h", "jobs", password="other", authkey=b"k3y")
    assert RmqConnector.load_state(f"amqp://u:{SECRET}@h/?address=jobs").password == SECRET


@pytest.mark.parametrize(
    "url, message",
    [
        (f"http://u:{SECRET}@h/", "the scheme 'http'"),
        (f"u:{SECRET}@h/", "something else"),
        (f"amqp://u:{SECRET}@h:port/", "is malformed"),
        (f"amqp://u:{SECRET}@h:99999/", "is malformed"),
        (f"amqp://u:{SECRET}@/v", "is expected"),
        (f"amqp://u:{SECRET}@h/a/b", "%2F"),
        (f"amqp://u:{SECRET} @h/", "percent-encoded"),
        (f"amqp://u:{SECRET}%@h/", "encodes nothing"),
        (f"amqp://u:{SECRET}%ff@h/", "is malformed"),
        (f"amqp://u:{SECRET}é@h/", "percent-encoded"),
        (f"amqp://u:{SECRET}@h/?color=red", "no option 'color'"),
        (f"amqp://u:{SECRET}@h/?heartbeat=soon", "heartbeat is a number"),
        (f"amqp://u:{SECRET}@h/?heartbeat=1&heartbeat=2", "there twice"),
        (f"amqp://u:{SECRET}@h/?heartbeat", "is malformed"),
        (f"amqp://u:{SECRET}@[h/", "is malformed"),
        (f"amqp://u:{SECRET}@h/#it", "is expected"),
        (f"amqp://u:{SECRET}@h/?address=jobs", "no option 'address'"),
        (f"amqp://u:12/{SECRET}@h/", "percent-encoded"),
        (f"amqp://u:{SECRET}/12@h/", "is malformed"),
        (f"amqp://u:1?{SECRET}=2@h/", "percent-encoded"),
        (f"amqp://u:{SECRET}?a=b@h/", "is malformed"),
        (f"amqp://u:1#{SECRET}@h/", "percent-encoded"),
        (f"amqp://u:{SECRET}@h/{'v' * 128}", "at most 127 characters"),
        (f"amqp+inbox://u:{SECRET}@h/", r"the scheme 'amqp\+inbox'"),
    ],
)
def test_what_is_no_url(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        RmqConnector(url, "jobs")
    assert_no_secret(caught.value)
    inbox_url = url.replace("amqp://", "amqp+inbox://") if url.startswith("amqp://") else f"z{url}"
    with pytest.raises(ValueError, match=r"\w") as caught:
        connector_from(inbox_url.replace("address=", "addr="))
    assert_no_secret(caught.value)


def assert_no_secret(error: BaseException | None) -> None:
    while error is not None:
        assert SECRET not in f"{error} {error!r}"
        error = error.__cause__


@pytest.mark.parametrize(
    "named, kind",
    [
        ({"address": ""}, ValueError),
        ({"address": "x" * 201}, ValueError),
        ({"address": "a\nb"}, ValueError),
        ({"address": "\ud800"}, ValueError),
        ({"address": 7}, ValueError),
        ({"client_id": ""}, ValueError),
        ({"exchange_name": "x" * 128}, ValueError),
        ({"exchange_name": "é"}, ValueError),
        ({"exchange_name": ""}, ValueError),
        ({"shared": True}, TypeError),
        ({"hosts": "one"}, TypeError),
        ({"hosts": ("one:x",)}, ValueError),
        ({"password": "other"}, ValueError),
        ({"url": "amqp://h", "password": 7}, TypeError),
        ({"ssl": True}, TypeError),
        ({"ssl": ssl.create_default_context()}, ValueError),
        ({"authkey": "text"}, TypeError),
        ({"authkey": b""}, ValueError),
    ],
)
def test_what_is_refused(named: dict[str, Any], kind: type[Exception]) -> None:
    arguments = {"url": f"amqp://u:{SECRET}@h/", "address": "jobs", **named}
    with pytest.raises(kind) as caught:
        RmqConnector(**arguments)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("text", ["amqp://u@h/", "tcp://h:1", "amqp:h", "", "amqp://h/?address=%ff"])
def test_what_is_not_loaded(text: str) -> None:
    with pytest.raises(ValueError, match=r"address=|is expected"):
        RmqConnector.load_state(text)


@pytest.mark.parametrize("password", [SECRET, f"a/{SECRET}", f"a@{SECRET}", f"a:{SECRET}", f"a?{SECRET}"])
def test_a_mistyped_scheme_does_not_tell_the_password(password: str) -> None:
    with pytest.raises(ValueError, match=r"no connector has the URL 'ampq://u:\.\.\.@h/'") as caught:
        connector_from(f"ampq://u:{password}@h/")
    assert_no_secret(caught.value)


def test_an_at_sign_in_an_option_needs_no_encoding_after_a_user() -> None:
    assert RmqConnector.load_state("amqp://u@h/?address=me@here").address == "me@here"


def test_a_context_is_not_pickled() -> None:
    connector = RmqConnector("amqps://h", "jobs", ssl=ssl.create_default_context())
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(connector)
    assert "SSLContext" not in repr(connector)
