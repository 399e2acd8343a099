"""What every connector must keep, as checks that can be run on your own.

A check is an ``async def`` that takes a MakeMeeting and raises AssertionError where a promise, which is
its docstring, is broken::

    @pytest.mark.parametrize("check", CHECKS)
    async def test_my_connector(check):
        await check(lambda authkey: meeting_of(MyConnector("name", authkey=authkey)))
"""

from typing import Final

from .delivery import check_bounded_memory, check_exactly_once_in_order, check_throw_keeps_its_word
from .links import check_address, check_authkey, check_clean_exit, check_link, check_one_server
from .meeting import MakeMeeting, Meeting, meeting_of
from .requests import (
    check_deadlines_and_cancellation_travel,
    check_one_outcome,
    check_small_overtakes_big,
)

__all__ = [
    "CHECKS",
    "MakeMeeting",
    "Meeting",
    "check_address",
    "check_authkey",
    "check_bounded_memory",
    "check_clean_exit",
    "check_deadlines_and_cancellation_travel",
    "check_exactly_once_in_order",
    "check_link",
    "check_one_outcome",
    "check_one_server",
    "check_small_overtakes_big",
    "check_throw_keeps_its_word",
    "meeting_of",
]

CHECKS: Final = (
    check_address,
    check_authkey,
    check_bounded_memory,
    check_clean_exit,
    check_deadlines_and_cancellation_travel,
    check_exactly_once_in_order,
    check_link,
    check_one_outcome,
    check_one_server,
    check_small_overtakes_big,
    check_throw_keeps_its_word,
)
"""All checks."""
