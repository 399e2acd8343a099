from __future__ import annotations

import pytest

from communica_like.exceptions import RemoteProtocolError
from communica_like.session.partial import SMALLEST_PIECE, Partial
from communica_like.wire.frames import REQUEST, THROW

PIECE = bytes(SMALLEST_PIECE)


def partial(total: int, number: int = 0) -> Partial:
    return Partial(REQUEST, 5, number, b"route", total, began=100.0)


def test_the_body_is_the_pieces_in_order() -> None:
    message = partial(3 * SMALLEST_PIECE + 3)
    message.add(b"a" * SMALLEST_PIECE, more=True)
    message.add(b"b" * 2 * SMALLEST_PIECE, more=True)
    message.add(b"end", more=False)
    assert message.body() == b"a" * SMALLEST_PIECE + b"b" * 2 * SMALLEST_PIECE + b"end"


def test_it_remembers_its_first_frame() -> None:
    message = Partial(THROW, 1, 2, b"route", 3000, began=0.0)
    assert (message.kind, message.ident, message.number) == (THROW, 1, 2)
    assert (message.route, message.total) == (b"route", 3000)


@pytest.mark.parametrize(
    "total, pieces, more",
    [
        (2000, [PIECE, b""], False),  # an empty piece
        (2000, [PIECE, PIECE], False),  # too much
        (2000, [PIECE, bytes(975)], False),  # too little
        (2048, [PIECE, PIECE], True),  # all there, and yet more to come
        (1024, [PIECE], True),
    ],
)
def test_pieces_that_do_not_add_up_are_refused(total: int, pieces: list[bytes], more: bool) -> None:
    message = partial(total)
    for piece in pieces[:-1]:
        message.add(piece, more=True)
    with pytest.raises(RemoteProtocolError, match=f"a message of {total} bytes whose pieces hold") as caught:
        message.add(pieces[-1], more=more)
    assert str(caught.value).endswith("and more") is more


def test_only_the_last_piece_may_be_tiny() -> None:
    message = partial(1 << 20)
    message.add(PIECE, more=True)
    with pytest.raises(RemoteProtocolError, match="a piece of 1023 bytes that is not the last"):
        message.add(PIECE[1:], more=True)


def test_the_budget_runs_while_pieces_come_in() -> None:
    message = partial(5000, number=2000)
    assert message.budget(100.0) == 2000
    assert message.budget(101.5) == 500
    assert message.budget(102.0) == 1
    assert message.budget(200.0) == 1


def test_without_a_budget_there_is_none_later() -> None:
    assert partial(5000).budget(200.0) == 0
