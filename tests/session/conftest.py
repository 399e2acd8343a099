"""What several tests of sessions begin with."""

from __future__ import annotations

import pytest

from tests.session.pair import Pair
from tests.session.receiver import Receiver


@pytest.fixture
def pair() -> Pair:
    """Two sessions with a link."""
    return Pair()


@pytest.fixture
def receiver() -> Receiver:
    """The way in of a session that has begun."""
    return Receiver()
