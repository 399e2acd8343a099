"""What several tests of sessions begin with."""

from __future__ import annotations

import pytest

from tests.session.pair import Pair


@pytest.fixture
def pair() -> Pair:
    """Two sessions with a link."""
    return Pair()
