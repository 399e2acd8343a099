from __future__ import annotations

import os
import pickle
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like.system import ProcessId
from tests.system.forked import Forked

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no fork")


def test_this_process() -> None:
    own = ProcessId.own()
    assert own.pid == os.getpid()
    assert own.alive
    assert own.known_here
    assert own == ProcessId.of(os.getpid()) == ProcessId.parse(str(own)) == pickle.loads(pickle.dumps(own))
    assert own.uid == os.geteuid()


@given(st.text() | st.lists(st.integers(-5, 2**80), max_size=5).map(lambda each: ".".join(map(str, each))))
def test_any_text_is_a_process_or_a_value_error(text: str) -> None:
    try:
        process = ProcessId.parse(text)
    except ValueError as exc:
        message = str(exc)
        assert repr(text) in message
    else:
        assert isinstance(process.alive, bool)  # whatever the numbers are
        assert process.uid is None or process.uid >= 0


@pytest.mark.parametrize("text", ["", "1", "1.2", "1.2.3.4", "1.2.-3", "1.2.x", "¹.2.3", "1.2.3\n", " 1.2.3"])
def test_no_process(text: str) -> None:
    with pytest.raises(ValueError, match="not a process id"):
        ProcessId.parse(text)


def test_a_pid_that_another_process_has_by_now() -> None:
    own = ProcessId.own()
    if not own.start:
        pytest.skip("this system does not tell when processes start")
    assert not own._replace(start=own.start + 1).alive
    assert own._replace(start=0).alive, "who wrote it could not tell"


def alive(process: ProcessId) -> bool:
    return process.alive  # asked in a function, mypy does not take it for constant


def ending(process: ProcessId) -> bool:
    return process.ending


def test_zombies_are_dead() -> None:
    with Forked(lambda tell, hear: hear()) as child:
        process = ProcessId.of(child.pid)
        assert process is not None
        assert alive(process)
        assert not ending(process)
        assert process != ProcessId.own()
        child.tell("end")
        assert child._reading.read() == ""  # it ends: only now its pipe has no other end
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not alive(process), "it is a zombie"
        assert ending(process) or sys.platform != "linux"
        child.wait()
        assert not alive(process)
        assert not ending(process), "nothing is known of it any more"
        assert process.uid is None
    assert ProcessId.of(child.pid) in (None, ProcessId.of(child.pid))


def test_there_is_no_such_process() -> None:
    assert not ProcessId.of(2**30).alive
    own = ProcessId.own()
    assert not own._replace(pid=2**30).alive
    assert not own._replace(pid=2**70).alive
    assert not own._replace(pid=0).alive


def test_other_pid_namespaces_are_left_alone() -> None:
    own = ProcessId.own()
    stranger = own._replace(namespace=own.namespace + 1, pid=2**30)
    assert stranger.alive, "nothing is known of it"
    assert not stranger.ending
    assert not stranger.known_here
    assert own._replace(namespace=own.namespace + 1).uid is None, "that pid is another's here"
