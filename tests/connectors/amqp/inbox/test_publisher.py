"""A client's end of a shared inbox whose broker does not take what is sent, though the channel is open.

A real broker does so to a channel that was about to look for a quorum queue's leader when the leader's node
stopped. Here it is the real one that all tests share, and its confirmations are altered on their way.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import pytest

from communica_like import SimpleClient, SimpleServer
from communica_like.connectors.amqp.inbox import publisher
from communica_like.connectors.amqp.inbox.publisher import AmqpPublisher
from tests.connectors.amqp.inbox.stage import PATIENCE, OwnInbox


class Confirmations:
    """Alters the confirmations of a publisher's first channels.

    Args:
        refused: whether the broker seems to refuse what comes on those; else it seems to say nothing.
        channels: how many.

    Attributes:
        ends: when each of those was given up.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, refused: bool, channels: int = 1) -> None:
        self.ends: list[float] = []
        self._refused = refused
        self._channels = channels
        self._confirmed, self._replace_channel = AmqpPublisher.confirmed, AmqpPublisher._replace_channel
        monkeypatch.setattr(AmqpPublisher, "confirmed", lambda *report: self.confirmed(*report))
        monkeypatch.setattr(AmqpPublisher, "_replace_channel", lambda *call: self.replace_channel(*call))

    def confirmed(self, end: AmqpPublisher, tag: int, multiple: bool, taken: bool) -> None:
        if len(self.ends) >= self._channels:
            self._confirmed(end, tag, multiple, taken)
        elif self._refused:
            self._confirmed(end, tag, multiple, False)

    def replace_channel(self, end: AmqpPublisher, reason: str) -> None:
        self.ends.append(time.monotonic())
        self._replace_channel(end, reason)


@pytest.mark.parametrize("refused", [True, False], ids=["refused", "no word"])
async def test_another_channel_is_tried(
    own: OwnInbox, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    monkeypatch.setattr(publisher, "_CONFIRM_TIMEOUT", 0.2)
    monkeypatch.setattr(publisher, "_REFUSAL_TIMEOUT", 0.2)
    confirmations = Confirmations(monkeypatch, refused=refused)
    handled: list[Any] = []
    async with SimpleServer(own.connector, handled.append), SimpleClient(own.connector) as client:
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(client.throw(number) for number in range(5)))
        assert confirmations.ends
        async with asyncio.timeout(PATIENCE):
            while set(handled) != set(range(5)):
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("refused", [True, False], ids=["refused", "no word"])
async def test_a_broker_that_is_slow_is_given_time(
    own: OwnInbox, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    """Each further channel has twice as long."""
    monkeypatch.setattr(publisher, "_CONFIRM_TIMEOUT", 0.05)
    monkeypatch.setattr(publisher, "_REFUSAL_TIMEOUT", 0.05)
    monkeypatch.setattr(publisher, "_MAX_TIMEOUT", 0.3)
    monkeypatch.setattr(publisher, "_RESEND_DELAY", 0.001)
    confirmations = Confirmations(monkeypatch, refused=refused, channels=5)
    async with SimpleClient(own.connector) as client, asyncio.timeout(PATIENCE):
        began = time.monotonic()
        await client.throw("it")
    times = [began, *confirmations.ends]
    lengths = [end - start for start, end in itertools.pairwise(times)]
    assert len(lengths) >= 5
    for length, least in zip(lengths, [0.05, 0.1, 0.2, 0.3, 0.3], strict=False):
        assert length >= least
