from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from communica_like import LocalConnector, connector_from
from communica_like.exceptions import LinkRefused
from tests.connectors.recorder import Recorder, serving
from tests.private_state import use_private


@given(st.text(min_size=1))
def test_any_name_goes_round_or_is_refused_for_a_reason(name: str) -> None:
    try:
        connector = LocalConnector(name)
    except ValueError as exc:
        text = str(exc)
        assert repr(name) in text
        return
    assert connector.dump_state().isascii()
    assert connector_from(connector.dump_state()) == connector
    assert pickle.loads(pickle.dumps(connector)) == connector


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/\\"), min_size=1))
def test_every_plain_name_is_taken(name: str) -> None:
    assume(name not in (".", ".."))
    connector = LocalConnector(name)
    assert connector_from(connector.dump_state()) == connector


CLIMBERS = ["", ".", "..", "a/b", "../x", "a/", "..\\x", "a\\b", "C:\\x", "a\0b", "a\nb", "\x7f", "./x"]


@pytest.mark.parametrize("name", CLIMBERS)
def test_a_name_cannot_climb_out(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        LocalConnector(name)


@pytest.mark.parametrize(
    "rest",
    ["..", "%2e%2e", "..%2Fx", "%2e%2e%2fx", "a%2Fb", "a%5Cb", "%00", "a%00", ".", "%2E", "a/b", "..%5cx"],
)
def test_percent_encoding_opens_no_way_out(rest: str) -> None:
    with pytest.raises(ValueError):
        connector_from(f"local://{rest}")


def test_percent_encoding_is_undone_once() -> None:
    connector = LocalConnector.load_state("local://%252e%252e%252f")
    assert connector.name == "%2e%2e%2f"


def test_a_path_however_it_is_written() -> None:
    path = LocalConnector("/tmp/x")
    assert connector_from("local://%2Ftmp%2Fx") == connector_from("local:///tmp/x") == path
    assert LocalConnector("/tmp/x").path == "/tmp/x"
    with pytest.raises(ValueError, match="NUL"):
        LocalConnector("/tmp/\0")


def test_values(tmp_path: Path) -> None:
    connector = LocalConnector("a", b"secret")
    assert connector == LocalConnector("a", b"secret") != LocalConnector("a")
    assert len({connector, LocalConnector("a", b"secret"), LocalConnector("a")}) == 2
    assert "secret" not in repr(connector)
    assert pickle.loads(pickle.dumps(connector)) == connector
    path: Any = tmp_path / "s"
    assert LocalConnector(path).name == str(path)
    with pytest.raises(dataclasses.FrozenInstanceError):
        connector.name = "b"  # type: ignore[misc]


@pytest.mark.parametrize("name", [5, None])
def test_a_name_is_text_or_a_path(name: Any) -> None:
    with pytest.raises(TypeError):
        LocalConnector(name)
    raw: Any = b"/x"
    with pytest.raises(ValueError, match="text"):
        LocalConnector(raw)


async def test_names_are_found_in_the_private_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = use_private(tmp_path, monkeypatch)
    connector = LocalConnector("ñame with %2F")
    with pytest.raises(LinkRefused):
        await connector.connect(Recorder())
    async with serving(connector) as served:
        link = await connector_from(served.listener.address).connect(Recorder())
        await served.link()
        assert sorted(each.name for each in folder.iterdir()) == ["ñame with %2F", "ñame with %2F.lock"]
        assert connector.path == str(folder / "ñame with %2F")
        link.abort()
    assert list(folder.iterdir()) == []


async def test_a_path_too_long_for_a_socket() -> None:
    with pytest.raises(ValueError, match=r"at most 10\d bytes"):
        LocalConnector("/" + "x" * 200)
    connector = LocalConnector("x" * 200)
    with pytest.raises(ValueError, match=r"at most 10\d bytes"):
        assert connector.path
    with pytest.raises(ValueError, match=r"at most 10\d bytes"):
        await connector.connect(Recorder())
    with pytest.raises(ValueError, match=r"at most 10\d bytes"):
        await connector.listen(lambda link: Recorder())
