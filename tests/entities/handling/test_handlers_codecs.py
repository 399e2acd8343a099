from __future__ import annotations

from typing import Any

import pytest

from communica_like import Codec, Serializer
from communica_like.entities.handling.handlers import Codecs
from communica_like.exceptions import SerializerError


class Odd(Serializer):
    """Requests and answers differ; some of both fail."""

    def dump(self, obj: Any, /) -> bytes:
        if obj == "fail":
            raise KeyError("cannot dump")
        wrong: Any = obj if obj == "text" else str(obj).encode()
        return wrong  # type: ignore[no-any-return]

    def load(self, data: bytes, /) -> Any:
        if data == b"fail":
            raise KeyError("cannot load")
        return data.decode()

    def response_codec(self) -> Codec:
        return Codec(self.dump, lambda data: self.load(data).upper())


def test_requests_are_dumped_and_answers_loaded() -> None:
    codecs = Codecs(Odd())
    assert codecs.dump_request(5) == b"5"
    assert codecs.load_answer(b"five") == "FIVE"


def test_failures_are_serializer_errors() -> None:
    codecs = Codecs(Odd())
    with pytest.raises(SerializerError, match="cannot dump") as caught:
        codecs.dump_request("fail")
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(SerializerError, match="cannot load"):
        codecs.load_answer(b"fail")
    with pytest.raises(SerializerError, match="dump returned str, not bytes"):
        codecs.dump_request("text")


def test_it_takes_serializers_only() -> None:
    wrong: Any = Odd
    with pytest.raises(TypeError, match="serializer is expected"):
        Codecs(wrong)
