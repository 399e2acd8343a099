"""What an Inbound grants, holds and acknowledges, and what it refuses beyond that."""

from __future__ import annotations

import pytest

from communica_like.exceptions import RemoteProtocolError
from communica_like.wire.frames import (
    CANCEL,
    ERROR,
    HEADER_SIZE,
    PING,
    REQUEST,
    RESULT,
    THROW,
    control,
)
from tests.session.receiver import CHUNK, KIB, WINDOW, Receiver, begin, frame, piece


def test_an_acknowledgement_says_all_there_is_to_say(receiver: Receiver) -> None:
    assert receiver.ack() == (0, WINDOW, 32 * KIB)
    receiver.take(frame(THROW, b"abc"))
    receiver.inbound.handled(1000, 2000)
    assert receiver.ack() == (1, WINDOW + 3 + KIB + 1000, 32 * KIB + 2000)


def test_what_a_read_cost(receiver: Receiver) -> None:
    assert receiver.inbound.receive(frame(THROW, b"abc") * 2 + frame(REQUEST, b"x", 1, route=1), [], 0.0)
    assert receiver.inbound.last_cost() == (7 + 3 * KIB, 0)
    assert receiver.inbound.receive(frame(THROW, b"abc")[:5], [], 0.0)
    assert receiver.inbound.last_cost() == (0, 0)
    large = frame(THROW, b"abc")[5:] + begin(REQUEST, CHUNK + KIB) + piece(KIB)
    assert receiver.inbound.receive(large, [], 0.0) == 0
    assert receiver.inbound.last_cost() == (3 + KIB, CHUNK + KIB)
    assert receiver.inbound.receive(frame(CANCEL), [], 0.0) == 0
    assert receiver.inbound.last_cost() == (0, 0)


def test_what_kind_of_read_it_was(receiver: Receiver) -> None:
    receiver.pending.update(dict.fromkeys(range(100), "token"))
    result = frame(RESULT, b"", 1)
    for data, kind in (
        (frame(THROW) + frame(REQUEST, b"", 1), REQUEST),
        (result * 2, RESULT),
        (result + frame(THROW), 0),
        (result + frame(CANCEL), 0),
        (frame(CANCEL), 0),
        (result * 64, 0),  # an acknowledgement is due
    ):
        assert receiver.inbound.receive(data, [], 0.0) == kind


def test_credit_goes_back_unless_it_is_held(receiver: Receiver) -> None:
    assert receiver.take(begin(REQUEST, CHUNK + KIB) + piece(KIB)) != []
    receiver.take(frame(THROW, b"abc") + frame(REQUEST, b"abc", 1))
    receiver.inbound.hold(3 + KIB, CHUNK + KIB)
    assert receiver.ack() == (4, WINDOW + 3 + KIB, 32 * KIB)
    receiver.inbound.handled(3 + KIB, CHUNK + KIB)
    assert receiver.ack() == (4, WINDOW + 6 + 2 * KIB, 33 * KIB + CHUNK)


def test_credit_that_was_granted_is_never_taken_back(receiver: Receiver) -> None:
    receiver.take(frame(THROW, b"abc"))
    granted = WINDOW + 3 + KIB
    assert receiver.ack() == (1, granted, 32 * KIB)
    receiver.inbound.hold(3 + KIB, 0)
    assert receiver.ack() == (1, granted, 32 * KIB)
    receiver.take(frame(THROW, b"abc"))
    assert receiver.ack() == (2, granted, 32 * KIB)
    receiver.inbound.handled(3 + KIB, 0)
    assert receiver.ack() == (2, granted + 3 + KIB, 32 * KIB)


def test_nothing_is_owed_for_nothing(receiver: Receiver) -> None:
    assert not receiver.owed()
    assert not receiver.due()
    receiver.take(control(PING))
    assert not receiver.owed()


@pytest.mark.parametrize("small, large", [(1, 0), (0, 1)])
def test_credit_that_came_back_is_owed(receiver: Receiver, small: int, large: int) -> None:
    receiver.inbound.handled(small, large)
    assert receiver.owed()
    receiver.inbound.ack()
    assert not receiver.owed()


def test_an_acknowledgement_is_due_after_64_frames(receiver: Receiver) -> None:
    receiver.take(frame(CANCEL) * 63)
    assert receiver.owed()
    assert not receiver.due()
    receiver.take(frame(CANCEL))
    assert receiver.due()
    receiver.inbound.ack()
    assert not receiver.due()
    assert not receiver.owed()


def test_an_acknowledgement_is_due_long_before_the_other_side_is_full() -> None:
    receiver = Receiver(*range(100))
    due = 2 * KIB
    receiver.inbound.open(64 * KIB, due)
    receiver.take(frame(RESULT, bytes(due - HEADER_SIZE - 1)))
    assert not receiver.due()
    receiver.take(frame(RESULT)[:1])
    assert receiver.due()


def test_an_acknowledgement_is_due_when_much_credit_came_back_or_any_for_large_messages(
    receiver: Receiver,
) -> None:
    receiver.inbound.handled(WINDOW // 4 - 1, 0)
    assert not receiver.due()
    receiver.inbound.handled(1, 0)
    assert receiver.due()
    receiver.inbound.ack()
    receiver.inbound.handled(0, 1)
    assert receiver.due()


def test_an_acknowledgement_that_was_asked_for_is_due_once(receiver: Receiver) -> None:
    receiver.inbound.ack_due = True
    assert receiver.owed()
    receiver.inbound.ack()
    assert not receiver.due()


def test_small_messages_within_the_window_and_no_more(receiver: Receiver) -> None:
    cost = 2 + 1000 + KIB
    message = frame(REQUEST, bytes(1002), 1, route=2)
    fit = WINDOW // cost
    assert len(receiver.take(message * fit)) == fit
    # It is not granted before it is said.
    with pytest.raises(RemoteProtocolError, match="credit overrun by"):
        receiver.take(message)

    receiver = Receiver()
    receiver.take(message * fit)
    receiver.inbound.hold((fit - 1) * cost, 0)
    receiver.inbound.ack()
    receiver.take(message)
    assert receiver.inbound.count == fit + 1
    receiver.refuses(message, "credit overrun")


def test_large_messages_within_their_credit_and_no_more(receiver: Receiver) -> None:
    receiver.take(begin(THROW, 16 * KIB, stream=1) + begin(REQUEST, 15 * KIB, stream=2))
    receiver.take(begin(RESULT, 32 * KIB, stream=3))  # costs no credit
    receiver.inbound.handled(0, 16 * KIB)
    receiver.inbound.ack()
    receiver.take(begin(THROW, 17 * KIB, stream=4))
    receiver.refuses(begin(REQUEST, 1025, stream=5), "credit for large messages overrun by 1025 bytes")


def test_answers_at_a_time_are_bounded(receiver: Receiver) -> None:
    receiver.take(begin(RESULT, 31 * KIB))
    receiver.refuses(begin(ERROR, 1025, stream=2), f"answers of over {32 * KIB} bytes at a time")
