"""Which frames acknowledge and reject deliveries."""

from __future__ import annotations

from communica_like.connectors.amqp.inbox.acknowledgements import Acknowledgements
from communica_like.connectors.amqp.protocol import ack_frame, nack_frame


def with_deliveries(count: int, enough: int = 2) -> Acknowledgements:
    acks = Acknowledgements(enough)
    for tag in range(1, count + 1):
        acks.add(tag)
    return acks


def test_those_done_from_the_first_on_take_one_frame() -> None:
    acks = with_deliveries(5)
    for tag in (2, 1, 4):
        acks.ack(tag)
    assert [acks.due, acks.waiting] == [True, True]
    assert acks.frames(7) == [ack_frame(7, 2, multiple=True), ack_frame(7, 4)]
    assert [acks.due, acks.waiting] == [False, False]
    assert acks.frames(7) == []
    acks.ack(3)
    assert [acks.due, acks.waiting] == [False, True]
    acks.ack(5, urgent=True)
    assert acks.frames(7) == [ack_frame(7, 5, multiple=True)]


def test_what_goes_back_is_not_acknowledged_by_a_later_one() -> None:
    acks = with_deliveries(3, enough=9)
    acks.reject(1, requeue=True)
    acks.reject(2, requeue=False)
    acks.ack(3)
    assert acks.due
    assert acks.frames(1) == [
        nack_frame(1, 1, requeue=True),
        nack_frame(1, 2, requeue=False),
        ack_frame(1, 3, multiple=True),
    ]


def test_nothing_is_said_of_a_channel_that_is_no_more() -> None:
    acks = with_deliveries(3)
    acks.ack(1, urgent=True)
    acks.reject(2, requeue=True)
    acks.clear()
    acks.ack(3)
    acks.reject(3, requeue=True)
    assert not acks.due
    assert acks.frames(1) == []


def test_each_is_settled_once() -> None:
    acks = with_deliveries(1, enough=1)
    acks.ack(1)
    assert acks.frames(1) == [ack_frame(1, 1, multiple=True)]
    acks.ack(1)
    assert acks.frames(1) == []
