"""Exceptions between processes, as of multiprocessing's pools."""

from __future__ import annotations

import copy
import pickle

import pytest

from communica_like import exceptions
from communica_like.exceptions import AddressInUse, CommunicaError, ConnectionLost, ReqError

PUBLIC = [
    kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, CommunicaError)
]


@pytest.mark.parametrize(
    "error",
    [
        *(kind("a message") for kind in PUBLIC),
        AddressInUse(),
        ConnectionLost("a message", sent=True),
        ReqError("a message", 422),
    ],
    ids=repr,
)
def test_exceptions_are_copied_and_pickled_whole(error: CommunicaError) -> None:
    error.add_note("a note")
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is type(error)
        assert (str(other), other.args, vars(other)) == (str(error), error.args, vars(error))
