"""A shared inbox: one durable queue at a broker that any number of servers empty, without sessions.

Theory of operation. ``topology`` declares, for each address, a quorum queue, and a second one for dead
letters with the exchange that leads there. ``end`` is what both ends of an inbox have in common. When the
connection is lost the entity above opens the end again.

A client's ``publisher`` keeps every message until the broker has confirmed it (a throw) or its response has
come (a request), and publishes what it keeps again on each new connection. ``properties`` describes the
messages.

A server's ``consumer`` has up to ``prefetch`` deliveries at a time. It publishes responses to the client's
own queue, several in one message, and acknowledges each request after its response, on the same channel,
which the broker processes in order. ``acknowledgements`` joins several in one frame, because each costs the
broker a write to disk. What is not acknowledged when the channel closes is delivered again, to any server: at
least once.

A message that came back more often than ``delivery_limit`` is dead-lettered. A copy of it goes to its
client's queue, whose request ends with that. A request whose time is over is dropped by the broker, or by the
consumer's user. A cancelled request is announced by a notice to all servers, whose consumers remember it for
a while.
"""
