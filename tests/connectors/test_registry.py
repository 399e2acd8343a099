"""Connectors of other distributions, found by their scheme."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from communica_like import LocalConnector, connector_from
from communica_like.connectors.registry import connector_class

MODULE = """
from communica_like import MemoryConnector


class PigeonConnector(MemoryConnector):
    scheme = "pigeon"

    def dump_state(self):
        return f"pigeon://{self.name}"

    @classmethod
    def load_state(cls, text, **secrets):
        return cls(text.removeprefix("pigeon://"), **secrets)


number = 7
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution: its name, and its entry points as ``scheme=value``."""
    (tmp_path / "pigeons_for_tests.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)

    def install(name: str, *entries: str) -> None:
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text("\n".join(["[communica_like.connectors]", *entries]))
        importlib.invalidate_caches()

    yield install
    sys.modules.pop("pigeons_for_tests", None)


def test_a_registered_connector_is_loaded_when_its_scheme_is_asked_for(install: Install) -> None:
    install("pigeons", "pigeon = pigeons_for_tests:PigeonConnector", "broken = no_such_module:Nothing")
    assert "pigeons_for_tests" not in sys.modules
    connector = connector_from("pigeon://coo", authkey=b"crumbs")
    assert type(connector).__name__ == "PigeonConnector"
    assert connector.authkey == b"crumbs"
    assert connector.dump_state() == "pigeon://coo"
    assert connector_class("pigeon") is type(connector)


def test_an_unknown_scheme_names_all_known_ones(install: Install) -> None:
    install("pigeons", "pigeon = pigeons_for_tests:PigeonConnector")
    with pytest.raises(ValueError, match=r"'owl://hoo'; known are .*local://.*memory://.*tcp://.*pigeon://"):
        connector_from("owl://hoo")
    with pytest.raises(ValueError, match=r"'owl'; known are .*pigeon://"):
        connector_class("owl")


def test_our_schemes_are_ours(install: Install) -> None:
    install("thief", "local = pigeons_for_tests:PigeonConnector")
    assert type(connector_from("local://name")) is LocalConnector
    assert connector_class("local") is LocalConnector


@pytest.mark.parametrize(
    "entry", ["pigeon = no_such_module:Nothing", "pigeon = pigeons_for_tests:NoSuchConnector"]
)
def test_what_cannot_be_loaded_says_whose_it_is(install: Install, entry: str) -> None:
    install("lazy-pigeons", entry)
    with pytest.raises(ImportError, match=r"pigeon://.*distribution lazy-pigeons 1\.0.*cannot be loaded"):
        connector_from("pigeon://coo")


def test_what_is_no_connector_of_its_scheme_is_refused(install: Install) -> None:
    install("numbers", "seven = pigeons_for_tests:number", "owl = pigeons_for_tests:PigeonConnector")
    with pytest.raises(TypeError, match=r"number of the distribution numbers 1\.0 is no Connector, but 7"):
        connector_from("seven://eleven")
    with pytest.raises(TypeError, match=r"registered for owl://, and its scheme is 'pigeon'"):
        connector_from("owl://hoo")


def test_two_who_claim_a_scheme(install: Install) -> None:
    install("pigeons", "pigeon = pigeons_for_tests:PigeonConnector")
    install("doves", "pigeon = pigeons_for_tests:PigeonConnector")
    with pytest.raises(ValueError, match=r"claimed by the distribution doves 1\.0 and the .* pigeons 1\.0"):
        connector_from("pigeon://coo")
