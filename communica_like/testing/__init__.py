"""Tools for testing programs and connectors, without any test framework.

- ``FaultyConnector`` (faulty.py) wraps a connector; its links break at random places, or stall.
- ``CuttingProxy`` (cutting_proxy.py) passes real TCP or Unix connections on, and cuts them.
- ``run_with_virtual_clock`` (virtual_clock.py) runs entities on MemoryConnectors with a clock that jumps to
  the next timer, so that hours of heartbeats pass at once.
- conformance/ holds one check for each promise that a connector must keep. Run it on a connector of your own.

All of it uses the public API only, and no other part of the package imports it.
"""

from .cutting_proxy import CuttingProxy
from .faulty import FaultyConnector
from .virtual_clock import VirtualClockLoop, run_with_virtual_clock

__all__ = ["CuttingProxy", "FaultyConnector", "VirtualClockLoop", "run_with_virtual_clock"]
