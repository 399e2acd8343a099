"""Checks of the promises that every connector must keep, to run on your own.

A check is an ``async def`` that takes a MakeMeeting. Its docstring is the promise, and it raises
AssertionError where that is broken::

    def make(authkey):
        return meeting_of(MyConnector("name", authkey=authkey))

    @pytest.mark.parametrize("check", checks_for(make(None)))
    async def test_my_connector(check):
        await check(make)

Or, for a connector that ``connector_from`` knows, without a test framework::

    python -m communica_like.testing.conformance mine://name

The checks by promise: answers, deliveries, sizes, times, links, strangers, deaths, exits. What is promised
within one process and between processes is checked by one body, on a stage of either kind (processes/).
catalog.py lists the checks and chooses those that fit a connector.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .meeting import Check, MakeMeeting, Meeting, meeting_of

if TYPE_CHECKING:
    from .catalog import ALL_CHECKS, CHECKS, HEAVY_CHECKS, PROCESS_CHECKS, checks_for

__all__ = [
    "ALL_CHECKS",
    "CHECKS",
    "HEAVY_CHECKS",
    "PROCESS_CHECKS",
    "Check",
    "MakeMeeting",
    "Meeting",
    "checks_for",
    "meeting_of",
]


def __getattr__(name: str) -> Any:
    # Imported at first use, because the programs that checks start are among what it imports.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.catalog"), name)
