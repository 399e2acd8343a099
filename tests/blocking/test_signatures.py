"""Type checkers see the signatures of blocking methods, and so do people who ask for help."""

from __future__ import annotations

import importlib.util
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from communica_like import blocking, entities

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["SimpleClient", "SimpleServer", "RouteClient", "RouteServer"]

WRONG = """
from communica_like import MemoryConnector
from communica_like.blocking import RouteServer, SimpleClient

client = SimpleClient(MemoryConnector())
client.request(1, timeuot=2.0)
RouteServer(MemoryConnector()).request(client_id="c")
client.request(1, timeout="2")
client.throw(1, 2)
number: int = client.connected.real.nothing
RouteServer(MemoryConnector()).request(5, None)
SimpleClient(MemoryConnector(), worker=1)
client.request(1, timeout=2.0)
"""


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
@pytest.mark.timeout(180)
def test_mypy_finds_wrong_calls(tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text(WRONG)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    found = re.findall(r"wrong\.py:(\d+): error: .*\[(.*)\]", done.stdout)
    kinds = ["call-arg", "call-arg", "arg-type", "call-arg", "attr-defined", "arg-type", "call-arg"]
    assert found == [(str(line), kind) for line, kind in enumerate(kinds, 6)], done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["request", "throw"])
def test_signature_and_docstring_are_those_of_the_original(name: str, method: str) -> None:
    twin, original = (getattr(getattr(module, name), method) for module in (blocking, entities))
    assert inspect.signature(twin) == inspect.signature(original)
    assert inspect.getdoc(twin) == inspect.getdoc(original)
    assert not inspect.iscoroutinefunction(twin)


@pytest.mark.parametrize("name", NAMES)
def test_the_constructor_takes_all_that_the_original_takes(name: str) -> None:
    twin, original = (
        inspect.signature(getattr(module, name)).parameters.values() for module in (blocking, entities)
    )
    theirs = [(p.name, p.kind, p.default) for p in original]
    ours = [(p.name, p.kind, p.default) for p in twin]
    assert ours[: len(theirs)] == theirs
    assert [name for name, _, _ in ours[len(theirs) :]] == ["workers", "portal"]
    assert all(kind is inspect.Parameter.KEYWORD_ONLY for _, kind, _ in ours[len(theirs) :])


@pytest.mark.parametrize("name", NAMES)
def test_everything_public_is_there_and_documented(name: str) -> None:
    twin, original = getattr(blocking, name), getattr(entities, name)
    assert {m for m in dir(original) if not m.startswith("_")} <= set(dir(twin))
    for method in dir(twin):
        if not method.startswith("_"):
            assert inspect.getdoc(inspect.getattr_static(twin, method)), method
