from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like.connectors.kernel.rendezvous import LARGEST_KNOCK, Knock
from communica_like.system import ProcessId

processes = st.builds(ProcessId, *[st.integers(0, 2**64)] * 3)
anything = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    max_leaves=5,
)


@given(processes, st.lists(st.text(), max_size=4).map(tuple))
def test_there_and_back(process: ProcessId, places: tuple[str, ...]) -> None:
    data = Knock(process, places).encode()
    assert data.isascii()
    assert b"\n" not in data, "it is one line"
    assert Knock.decode(data) == (process, places)


def test_the_largest_of_ours() -> None:
    process = ProcessId(2**22, 2**64, 2**64)
    assert len(Knock(process, ("2147483647", "2147483647", "0" * 24)).encode()) <= LARGEST_KNOCK


@given(st.binary() | anything.map(lambda each: json.dumps(each).encode()))
def test_anything_else_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        Knock.decode(data)


@given(st.lists(anything, max_size=4))
def test_nearly_a_knock(rest: list[Any]) -> None:
    try:
        knock = Knock.decode(json.dumps([1, *rest]).encode())
    except ValueError:
        return
    assert knock == (ProcessId.parse(rest[0]), tuple(rest[1:]))


@pytest.mark.parametrize(
    "data", [b"", b"[" * 100_000, b"[1" + b"0" * 5_000 + b"]", b"\xff\xfe[\0", b'[1, "1.2.3']
)
def test_odd_bytes(data: bytes) -> None:
    with pytest.raises(ValueError):
        Knock.decode(data)
