from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like.connectors.kernel.rendezvous import LARGEST_REQUEST, ConnectRequest
from communica_like.system import ProcessId

processes = st.builds(ProcessId, *[st.integers(0, 2**64)] * 3)
anything = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    max_leaves=5,
)


@given(processes, st.lists(st.text(), max_size=4).map(tuple))
def test_there_and_back(process: ProcessId, endpoints: tuple[str, ...]) -> None:
    data = ConnectRequest(process, endpoints).encode()
    assert data.isascii()
    assert b"\n" not in data, "it is one line"
    assert ConnectRequest.decode(data) == (process, endpoints)


def test_the_largest_of_ours() -> None:
    process = ProcessId(2**22, 2**64, 2**64)
    assert len(ConnectRequest(process, ("2147483647", "2147483647", "0" * 24)).encode()) <= LARGEST_REQUEST


@given(st.binary() | anything.map(lambda each: json.dumps(each).encode()))
def test_anything_else_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        ConnectRequest.decode(data)


@given(st.lists(anything, max_size=4))
def test_nearly_a_request(rest: list[Any]) -> None:
    try:
        request = ConnectRequest.decode(json.dumps([1, *rest]).encode())
    except ValueError:
        return
    assert request == (ProcessId.parse(rest[0]), tuple(rest[1:]))


@pytest.mark.parametrize(
    "data", [b"", b"[" * 100_000, b"[1" + b"0" * 5_000 + b"]", b"\xff\xfe[\0", b'[1, "1.2.3']
)
def test_odd_bytes(data: bytes) -> None:
    with pytest.raises(ValueError):
        ConnectRequest.decode(data)
