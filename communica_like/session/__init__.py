"""A reliable, ordered, two-way conversation over unreliable links. Sans-I/O.

A ``Session`` is one side of it. Its driver hands it messages to send, bytes from the link, and the time; it
returns bytes for the link, events, and the time at which it wants to be called again. It knows no link, no
clock and no task, so tests run two sessions back to back in a single thread.

::

    messages ──► outbound ──► frames ──► replay ──► bytes       request(), throw(), answer(), data_to_send()
                  bulk, waiting
    events  ◄── inbound  ◄───────────────────────── bytes       receive()
                  partial

Each frame of a message has a number, which is not on the wire: both sides count. What was sent stays in the
``replay`` buffer until the other side acknowledges it. When a link breaks, the two sides tell each other in
the next ``handshake`` how far they have counted, and the rest is sent again: nothing is lost, doubled or
reordered. ``transitions`` is the table of a session's states.

Credit bounds memory. Each side grants bytes, separately for small and for large messages; ``waiting`` holds
messages that have to wait for credit, in order. ``bulk`` cuts large messages into pieces and lets them take
turns, so that small messages overtake large ones; ``partial`` puts them together. Responses draw on no
credit, since the requester has room for them.

``events`` and messages are plain tuples: one is made for every message, and an object costs more than all the
rest.
"""

from .events import Event
from .handshake import ClientHandshake, ServerHandshake
from .session import Session
from .transitions import State

__all__ = ["ClientHandshake", "Event", "ServerHandshake", "Session", "State"]
