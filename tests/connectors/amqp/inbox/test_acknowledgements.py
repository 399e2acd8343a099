"""Which frames tell the broker what has become of its deliveries."""

from __future__ import annotations

from communica_like.connectors.amqp.inbox.acknowledgements import Acknowledgements
from communica_like.connectors.amqp.protocol import settling


def with_deliveries(count: int, promptly: int = 2) -> Acknowledgements:
    settlement = Acknowledgements(promptly)
    for tag in range(1, count + 1):
        settlement.delivered(tag)
    return settlement


def test_those_done_from_the_first_on_take_one_frame() -> None:
    settlement = with_deliveries(5)
    for tag in (2, 1, 4):
        settlement.done(tag)
    assert [settlement.due, settlement.waiting] == [True, True]
    assert settlement.frames(7) == [settling(7, 2, multiple=True), settling(7, 4)]
    assert [settlement.due, settlement.waiting] == [False, False]
    assert settlement.frames(7) == []
    settlement.done(3)
    assert [settlement.due, settlement.waiting] == [False, True]
    settlement.done(5, at_once=True)
    assert settlement.frames(7) == [settling(7, 5, multiple=True)]


def test_what_goes_back_is_not_acknowledged_by_a_later_one() -> None:
    settlement = with_deliveries(3, promptly=9)
    settlement.turn_down(1, back=True)
    settlement.turn_down(2, back=False)
    settlement.done(3)
    assert settlement.due
    assert settlement.frames(1) == [
        settling(1, 1, taken=False, back=True),
        settling(1, 2, taken=False),
        settling(1, 3, multiple=True),
    ]


def test_nothing_is_said_of_a_channel_that_is_no_more() -> None:
    settlement = with_deliveries(3)
    settlement.done(1, at_once=True)
    settlement.turn_down(2, back=True)
    settlement.forget()
    settlement.done(3)
    settlement.turn_down(3, back=True)
    assert not settlement.due
    assert settlement.frames(1) == []
    assert 3 not in settlement


def test_each_is_settled_once() -> None:
    settlement = with_deliveries(1, promptly=1)
    settlement.done(1)
    assert settlement.frames(1) == [settling(1, 1, multiple=True)]
    settlement.done(1)
    assert settlement.frames(1) == []
