"""What processes own outside of themselves, and who they are: so that nothing outlives its owner for long."""

from . import fork
from .address_lock import AddressLock
from .process_id import ProcessId
from .reaping import reap, reap_in_passing
from .registry import Registration, register, register_reused
from .state_directory import state_directory

__all__ = [
    "AddressLock",
    "ProcessId",
    "Registration",
    "fork",
    "reap",
    "reap_in_passing",
    "register",
    "register_reused",
    "state_directory",
]
