"""Tools to test programs and connectors with: faults, virtual time, and what a connector must keep.

It needs no test framework.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .cutting_proxy import CuttingProxy
    from .faulty import FaultyConnector
    from .virtual_clock import VirtualClockLoop, run_with_virtual_clock

__all__ = ["CuttingProxy", "FaultyConnector", "VirtualClockLoop", "run_with_virtual_clock"]

_MODULES: Final = {
    "CuttingProxy": "cutting_proxy",
    "FaultyConnector": "faulty",
    "VirtualClockLoop": "virtual_clock",
    "run_with_virtual_clock": "virtual_clock",
}


def __getattr__(name: str) -> Any:
    # Imported when it is first used: the programs of the conformance kit need none of it.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
