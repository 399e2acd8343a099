"""The catalog of checks, and which of them fit a connector."""

from __future__ import annotations

from typing import Final

from .answers import check_many_processes, check_outcomes_between_processes
from .deaths import check_client_killed, check_killed_leave_nothing, check_server_killed
from .deliveries import (
    check_exactly_once_between_processes,
    check_many_cuts,
    check_many_throws,
    check_throws_then_leave,
)
from .delivery import check_bounded_memory, check_exactly_once_in_order, check_throw_keeps_its_word
from .exits import check_one_server_of_many, check_stop_by_signal
from .links import check_address, check_authkey, check_clean_exit, check_link, check_one_server
from .meeting import Check, Meeting
from .requests import (
    check_deadlines_and_cancellation_travel,
    check_one_outcome,
    check_small_overtakes_big,
)
from .sizes import (
    check_long_flood,
    check_slow_consumer,
    check_small_overtakes_big_between_processes,
    check_very_big,
)
from .strangers import check_strangers_between_processes
from .times import check_times_between_processes

CHECKS: Final[tuple[Check, ...]] = (
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
"""The checks with server and clients in this process."""

PROCESS_CHECKS: Final[tuple[Check, ...]] = (
    check_outcomes_between_processes,
    check_many_processes,
    check_server_killed,
    check_client_killed,
    check_killed_leave_nothing,
    check_exactly_once_between_processes,
    check_throws_then_leave,
    check_times_between_processes,
    check_slow_consumer,
    check_small_overtakes_big_between_processes,
    check_one_server_of_many,
    check_stop_by_signal,
    check_strangers_between_processes,
)
"""The checks of connectors between processes, of some seconds in all."""

HEAVY_CHECKS: Final[tuple[Check, ...]] = (
    check_long_flood,
    check_many_cuts,
    check_many_throws,
    check_very_big,
)
"""Those of them that take long when they are made in full."""

ALL_CHECKS: Final[tuple[Check, ...]] = (*CHECKS, *PROCESS_CHECKS, *HEAVY_CHECKS)
"""All checks."""


def checks_for(meeting: Meeting, *, heavy: bool = False) -> list[Check]:
    """Return the checks that apply to a connector, by its guarantees.

    Args:
        meeting: one like those that the checks will be given.
        heavy: True returns only the checks that take minutes, False all others.

    Raises:
        TypeError: the connector has a shared inbox, which has no links to check.
    """
    if meeting.server.inbox() is not None:
        name = type(meeting.server).__name__
        raise TypeError(f"{name} cannot be checked: a shared inbox has no links")
    checks: list[Check] = []
    if not (heavy or meeting.starts_server):
        checks += CHECKS
    if meeting.server.guarantees.between_processes:
        checks += HEAVY_CHECKS if heavy else PROCESS_CHECKS
    # A server that a client starts has its address for itself.
    alone = not (meeting.starts_server or meeting.server.guarantees.many_servers)
    return [check for check in checks if alone or check is not check_one_server_of_many]
