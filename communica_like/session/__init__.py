"""A reliable, ordered, two-way conversation over unreliable links. Sans-I/O: bytes and times in,
events, bytes and the next deadline out.
"""

from .events import Event
from .handshake import ClientHandshake, ServerHandshake
from .session import Session
from .transitions import State

__all__ = ["ClientHandshake", "Event", "ServerHandshake", "Session", "State"]
