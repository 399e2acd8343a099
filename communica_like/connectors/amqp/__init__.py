"""Connectors over a RabbitMQ broker, AMQP 0-9-1: links for sessions, and the shared inbox in ``inbox``.

Theory of operation. From the bottom up:

- ``protocol`` reads and writes the frames that carry messages. All other frames pass through to aiormq, which
  opens the connection and its channels, declares queues, and sends heartbeats. No other module knows frames.
- ``connection`` is one connection, and counts references to it. Everything in an event loop that has the same
  BrokerKey (``key``) shares one. A lost connection is not repaired: those who used it acquire another one. It
  also publishes a message to itself when the broker has been silent, since AMQP's heartbeats are slow.
- ``calls`` turns aiormq's errors into LinkError.
- ``user`` is what has channels on a connection: ``listener``, which serves an address, and both ends of an
  inbox.
- ``link`` is one end of a byte stream. ``link_messages`` describes the stream's messages.
- ``broker_connector`` and ``connector`` find an address.

How a link is made. Each connection has an *inbox*, an exclusive queue with its own routing key. Servers of an
address consume from one more queue, that of the address. A client publishes CONNECT to the address, and the
broker gives it to one of the servers, in turn. The server publishes ACCEPT to the client's inbox. Each side
now knows the other's inbox and process, and DATA, CREDIT and END go from inbox to inbox, mandatory: the
broker returns a message whose inbox is gone. A client whose link broke publishes CONNECT to the queue
that its server has for itself, an exclusive one.

Links may lose data when a connection breaks. The session above them sends it again, so there are no confirms,
acknowledgements or durable queues here; ``inbox`` has all three, and no sessions. Offsets in messages reveal
what a broker dropped. Credit bounds what a link has in the broker.

All queues and exchanges are declared by those who use them, and the broker removes them with the connections.
Only the shared inbox's queues stay.
"""
