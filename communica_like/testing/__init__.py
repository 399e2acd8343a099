"""Tools to test programs and connectors with: faults, virtual time, and what a connector must keep.

It needs no test framework.
"""

from .cutting_proxy import CuttingProxy
from .faulty import FaultyConnector
from .virtual_clock import VirtualClockLoop, run_with_virtual_clock

__all__ = ["CuttingProxy", "FaultyConnector", "VirtualClockLoop", "run_with_virtual_clock"]
