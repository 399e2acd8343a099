from __future__ import annotations

import ast
import os
import subprocess
import sys
from typing import Any

import pytest

import communica_like.serializers as serializers
from communica_like import abc
from communica_like.exceptions import FeatureNotAvailable
from communica_like.serializers import AdaptixSerializer, JsonSerializer, OrjsonSerializer, Serializer


class LiteralSerializer(Serializer):
    """A whole serializer of one's own."""

    def dump(self, obj: Any, /) -> bytes:
        return repr(obj).encode()

    def load(self, data: bytes, /) -> Any:
        return ast.literal_eval(data.decode())


def run_python(code: str) -> str:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def test_exports() -> None:
    assert set(serializers.__all__) == {
        "Serializer", "Codec", "JsonSerializer", "OrjsonSerializer", "AdaptixSerializer",
        "LiteralSerializer", "PickleSerializer", "RawSerializer",
    }  # fmt: skip
    assert serializers.Serializer is abc.Serializer
    assert serializers.Codec is abc.Codec
    assert all(hasattr(serializers, name) for name in serializers.__all__)


def test_import_leaves_optional_packages_alone() -> None:
    code = (
        "import sys, communica_like.serializers as s; s.JsonSerializer();"
        "print([name for name in ('orjson', 'adaptix') if name in sys.modules])"
    )
    assert run_python(code) == "[]"


def test_works_without_optional_packages() -> None:
    code = (
        "import sys; sys.modules['orjson'] = sys.modules['adaptix'] = None\n"
        "from communica_like.exceptions import FeatureNotAvailable\n"
        "from communica_like.serializers import *\n"
        "for cls in (OrjsonSerializer, AdaptixSerializer):\n"
        "    try: cls()\n"
        "    except FeatureNotAvailable as exc: print(exc)\n"
        "print(JsonSerializer().dump([1]))\n"
    )
    orjson_line, adaptix_line, json_line = run_python(code).splitlines()
    assert "pip install 'orjson" in orjson_line
    assert "pip install 'adaptix" in adaptix_line
    assert json_line == "b'[1]'"


@pytest.mark.parametrize(("cls", "name"), [(OrjsonSerializer, "orjson"), (AdaptixSerializer, "adaptix")])
def test_missing_package(cls: type, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(FeatureNotAvailable) as caught:
        cls()
    assert f"pip install '{name}" in str(caught.value)
    assert isinstance(caught.value.__cause__, ImportError)


def test_missing_package_in_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "adaptix", None)
    with pytest.raises(FeatureNotAvailable, match="adaptix"):
        AdaptixSerializer.of(lambda request: None)


def test_user_serializer() -> None:
    serializer = LiteralSerializer()
    for codec in (serializer.request_codec(), serializer.response_codec()):
        assert codec.load(codec.dump({"a": (1, {2})})) == {"a": (1, {2})}


def test_user_serializer_as_wire() -> None:
    pytest.importorskip("adaptix")
    codec = AdaptixSerializer(dict[int, str], wire_serializer=LiteralSerializer()).request_codec()
    assert codec.load(codec.dump({1: "a"})) == {1: "a"}
    other: object = LiteralSerializer()
    assert JsonSerializer() != other
