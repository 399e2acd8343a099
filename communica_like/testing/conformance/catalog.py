"""The catalog of checks, and which of them fit a connector."""

from __future__ import annotations

from typing import Final

from . import answers, deaths, deliveries, exits, links, sizes, strangers, times
from .meeting import Check, Meeting

CHECKS: Final[tuple[Check, ...]] = (
    links.check_address,
    strangers.check_authkey,
    sizes.check_bounded_memory,
    links.check_clean_exit,
    times.check_deadlines_and_cancellation_travel,
    deliveries.check_exactly_once_in_order,
    links.check_link,
    answers.check_one_outcome,
    links.check_one_server,
    sizes.check_small_overtakes_big,
    deliveries.check_throw_keeps_its_word,
)
"""The checks with server and clients in this process."""

PROCESS_CHECKS: Final[tuple[Check, ...]] = (
    answers.check_outcomes_between_processes,
    answers.check_many_processes,
    deaths.check_server_killed,
    deaths.check_client_killed,
    deaths.check_killed_leave_nothing,
    deliveries.check_exactly_once_between_processes,
    deliveries.check_throws_then_leave,
    times.check_times_between_processes,
    sizes.check_slow_consumer,
    sizes.check_small_overtakes_big_between_processes,
    exits.check_one_server_of_many,
    exits.check_stop_by_signal,
    strangers.check_strangers_between_processes,
)
"""The checks of connectors between processes, of some seconds in all."""

HEAVY_CHECKS: Final[tuple[Check, ...]] = (
    sizes.check_long_flood,
    deliveries.check_many_cuts,
    deliveries.check_many_throws,
    sizes.check_very_big,
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
    return [check for check in checks if alone or check is not exits.check_one_server_of_many]
