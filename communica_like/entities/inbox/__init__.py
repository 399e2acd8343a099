"""The backend over a shared inbox: a queue at a broker that any number of servers empty.

There are no sessions. A client's message is kept by its publisher until the broker has confirmed it, and by
the broker until a server has acknowledged it. So it is handled at least once, and ``Context.key`` is the
same for all copies. The connector gives both ends (communica_like.abc.inbox); a broker's protocol is its
business.

- calls.py: a client's requests and throws. They wait for room, then for a response or a confirmation.
- reconnector.py: a client's backend. It keeps the publisher connected.
- acceptor.py: a server's backend. It keeps the consumer open.
- dispatcher.py: messages -> handlers -> response and ``Delivery.ack``. A server that closes requeues what
  has not ended. Messages that came back repeatedly may be what kills servers, and are handled one at a
  time.

A server cannot call clients here, so ``ServerBackend.clients`` is None. Nothing in this package writes to
the medium or keeps messages on disk.
"""
