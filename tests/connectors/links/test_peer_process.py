from __future__ import annotations

import asyncio
import os
import sys

import pytest

from communica_like.connectors.links import peer_process
from communica_like.connectors.links.peer_process import PeerProcess
from communica_like.exceptions import PeerGone
from communica_like.system import ProcessId
from tests.connectors.recorder import eventually
from tests.system.forked import Forked, Hear, Tell

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="no pidfd"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


def wait(tell: Tell, hear: Hear) -> None:
    hear()


def id_of(pid: int) -> ProcessId:
    process = ProcessId.of(pid)
    assert process is not None
    return process


class Heard:
    def __init__(self) -> None:
        self.ends = 0
        self.reports: list[Exception | None] = []

    def end(self) -> None:
        self.ends += 1


async def test_the_end_is_noticed_at_once() -> None:
    heard = Heard()
    before = len(os.listdir("/proc/self/fd"))
    with Forked(wait) as child:
        process = PeerProcess(id_of(child.pid), heard.end)
        await asyncio.sleep(0)
        assert (heard.ends, process.ended) == (0, False)
        os.kill(child.pid, 9)
        await eventually(lambda: heard.ends)
        assert process.ended, "it is a zombie, and dead"
        process.conclude(heard.reports.append, wait=True)
        assert isinstance(heard.reports[0], PeerGone)
        process.close()
    assert heard.ends == 1
    assert len(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize("change", [{"start": 1}, {"pid": 2**30}, {"pid": 2**70}])
async def test_a_process_that_is_gone_already(change: dict[str, int]) -> None:
    heard = Heard()
    PeerProcess(ProcessId.own()._replace(**change), heard.end)
    assert heard.ends == 0, "not before the caller has its object"
    await eventually(lambda: heard.ends)


@pytest.mark.parametrize("pid", [1, 2**30, 2**70])
async def test_a_process_of_another_namespace_is_not_watched(pid: int) -> None:
    """Its pid is another's here, or nobody's: that tells nothing."""
    heard = Heard()
    before = len(os.listdir("/proc/self/fd"))
    own = ProcessId.own()
    process = PeerProcess(own._replace(pid=pid, namespace=own.namespace + 1), heard.end)
    assert len(os.listdir("/proc/self/fd")) <= before
    await asyncio.sleep(0.01)
    process.conclude(heard.reports.append, wait=True)
    assert (heard.ends, heard.reports) == (0, [None])


async def test_closed_before_the_end() -> None:
    heard = Heard()
    with Forked(wait) as child:
        process = PeerProcess(id_of(child.pid), heard.end)
        process.close()
        process.close()
        child.kill()
        for _ in range(10):
            await asyncio.sleep(0)
    assert heard.ends == 0


async def test_the_link_broke_because_the_process_is_about_to_end() -> None:
    heard = Heard()
    with Forked(wait) as child:
        process = PeerProcess(id_of(child.pid), heard.end)
        process.conclude(heard.reports.append, wait=True)
        assert heard.reports == []
        child.kill()
        await eventually(lambda: heard.reports)
    await asyncio.sleep(0.06)
    assert [type(each) for each in heard.reports] == [PeerGone]
    assert heard.ends == 0


async def test_a_process_that_takes_its_time_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that was killed does on a busy machine, when its descriptors are closed already."""
    looks = 0

    def ending(process: ProcessId) -> bool:
        nonlocal looks
        looks += 1
        return True

    monkeypatch.setattr(peer_process, "_POLL_INTERVAL", 0.001)
    monkeypatch.setattr(ProcessId, "ending", property(ending))
    heard = Heard()
    with Forked(wait) as child:
        process = PeerProcess(id_of(child.pid), heard.end)
        process.conclude(heard.reports.append, wait=True)
        await eventually(lambda: looks > 3)
        assert heard.reports == []
        child.kill()
        await eventually(lambda: heard.reports)
    assert [type(each) for each in heard.reports] == [PeerGone]


async def test_a_process_whose_end_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_process, "_POLL_INTERVAL", 0.001)
    monkeypatch.setattr(peer_process, "_EXIT_TIMEOUT", 0.01)
    monkeypatch.setattr(ProcessId, "ending", property(lambda process: True))
    heard = Heard()
    PeerProcess(ProcessId.own(), heard.end).conclude(heard.reports.append, wait=True)
    await eventually(lambda: heard.reports == [None])


@pytest.mark.parametrize("waits", [True, False])
async def test_the_link_broke_and_the_process_lives(waits: bool) -> None:
    heard = Heard()
    before = len(os.listdir("/proc/self/fd"))
    process = PeerProcess(ProcessId.own(), heard.end)
    process.conclude(heard.reports.append, wait=waits)
    assert heard.reports == ([] if waits else [None])
    await eventually(lambda: heard.reports == [None])
    assert len(os.listdir("/proc/self/fd")) <= before


async def test_where_there_is_no_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    heard = Heard()
    with Forked(wait) as child:
        process = PeerProcess(id_of(child.pid), heard.end)
        child.kill()
        process.conclude(heard.reports.append, wait=True)
    assert (heard.ends, heard.reports) == (0, [None])
