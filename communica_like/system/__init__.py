"""What processes own outside of themselves, and who they are: so that nothing outlives its owner for long."""

from . import fork
from .address_lock import Claim
from .process_id import ProcessId
from .reaping import reap, reap_in_passing
from .registry import Entry, enter, take_over
from .state_directory import state_directory

__all__ = [
    "Claim",
    "Entry",
    "ProcessId",
    "enter",
    "fork",
    "reap",
    "reap_in_passing",
    "state_directory",
    "take_over",
]
