"""A socket as a Connection of multiprocessing."""

from __future__ import annotations

import gc
import socket
from multiprocessing.connection import Connection

import pytest

from communica_like.managers.connection import SocketConnection


def test_it_speaks_the_same_protocol() -> None:
    ours, theirs = socket.socketpair()
    with ours, Connection(theirs.detach()) as connection:
        wrapped = SocketConnection(ours)
        for each in ({"number": 1}, b"x" * 20_000, [b""]):
            wrapped.send(each)
            assert connection.recv() == each
            connection.send(each)
            assert wrapped.recv() == each
        assert wrapped.detach() is ours


def test_a_send_that_failed_leaves_no_view_in_its_traceback() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(BrokenPipeError) as caught:
        SocketConnection(ours).send("to nobody")
    trace = caught.value.__traceback__
    held = []
    while trace is not None:
        held += [each for each in trace.tb_frame.f_locals.values() if isinstance(each, memoryview)]
        trace = trace.tb_next
    # What a view belongs to would be collected first, if all that is in a cycle. CPython 3.13 tells of it.
    assert all(isinstance(view.obj, bytes) for view in held)
    del caught, trace, held
    gc.collect()
