"""Every connector keeps every promise."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from communica_like.connectors.registry import BUILT_IN, connector_class
from communica_like.testing.conformance import (
    ALL_CHECKS,
    PROCESS_CHECKS,
    Check,
    Meeting,
    checks_for,
)
from tests.rmq_broker import needs_broker

from .media import MEDIA, NEEDED, VARIANTS, has_ipv6


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not tmp_path, which may be too long for a socket."""
    path = Path(tempfile.mkdtemp(prefix="cl-"))
    yield path
    shutil.rmtree(path)


def pairs(*, chaos: bool) -> list[object]:
    """Each medium with each of its checks, medium by medium."""
    found: list[tuple[str, Check]] = []
    for name, medium in MEDIA.items():
        meeting = medium(Path("/nowhere"), None)
        heavy = checks_for(meeting, heavy=True)
        light = checks_for(meeting)
        late = [check for check in light if check in PROCESS_CHECKS] if name in VARIANTS else []
        chosen = heavy + late if chaos else [check for check in light if check not in late]
        found += [(name, check) for check in chosen]
    return [
        pytest.param(
            name,
            check,
            id=f"{name}-{check.__name__.removeprefix('check_')}",
            marks=[pytest.mark.one_python] if check in PROCESS_CHECKS else [],
        )
        for name, check in found
    ]


async def run(name: str, check: Check, folder: Path) -> None:
    if name == "tcp6" and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    if name == "rmq":
        needs_broker()
    if name in NEEDED:
        pytest.importorskip(NEEDED[name])

    def make(authkey: bytes | None) -> Meeting:
        return MEDIA[name](folder, authkey)

    await check(make)


@pytest.mark.parametrize("name, check", pairs(chaos=False))
async def test_promise(name: str, check: Check, folder: Path) -> None:
    await run(name, check, folder)


@pytest.mark.chaos
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name, check", pairs(chaos=True))
async def test_promise_in_full(name: str, check: Check, folder: Path) -> None:
    await run(name, check, folder)


def test_every_connector_with_links_is_checked() -> None:
    checked = {medium(Path("/nowhere"), None).server.scheme for medium in MEDIA.values()}
    with_links = {name for name in BUILT_IN if connector_class(name).guarantees.delivers == "once"}
    assert checked == with_links, "give media.py a way to meet for each connector"


def test_every_check_says_what_it_checks() -> None:
    assert len({check.__name__ for check in ALL_CHECKS}) == len(ALL_CHECKS)
    for check in ALL_CHECKS:
        assert check.__doc__, check
