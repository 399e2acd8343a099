from __future__ import annotations

import asyncio

import pytest

from communica_like.entities.connection import receivers
from communica_like.entities.connection.receivers import ClosingLink
from tests.entities.connection.test_receivers import PaperLink
from tests.entities.stage import eventually


async def test_it_closes_and_listens_until_the_link_is_gone() -> None:
    others: set[ClosingLink] = set()
    link = PaperLink()
    goodbye = ClosingLink(link, others)
    assert (link.ends, others, link.receiver) == (["close"], {goodbye}, goodbye)
    goodbye.data_received(b"too late")
    goodbye.link_writable()
    assert not goodbye.gone.done()
    goodbye.link_broken(None)
    assert goodbye.gone.done()
    assert others == set()


async def test_who_does_not_read_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receivers, "_CLOSE_TIMEOUT", 0.01)
    link = PaperLink()
    goodbye = ClosingLink(link, set())
    await eventually(lambda: link.ends == ["close", "abort"])
    goodbye.gone.cancel()
    goodbye.link_broken(None)
    await asyncio.sleep(0)
