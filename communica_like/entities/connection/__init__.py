"""The backend over sessions: links, handshakes, and one SessionDriver for each session.

A ``Session`` (communica_like.session) does no I/O. SessionDriver gives it what a link received and the
time, acts on its events, and has its ``Writer`` give the link what the session has to send. It outlives
links: it waits for the next one while the session is suspended.

- driver.py: links in and out, events, the one timer.
- calls.py: this side's requests and throws, and those that wait for room in the outbox.
- dispatcher.py: the other side's requests and throws, within the credit for responses.
- writer.py: when to write: at once, in bursts, or at the end of the loop's turn.
- receivers.py: a link's receiver before the handshake is done, and after the session has left the link.
- reconnector.py: a client's backend. It connects, and connects again; it decides when a session is lost.
- acceptor.py: a server's backend. It makes handshakes, and gives links to sessions; clients.py finds those.

Everything happens on the event loop, most of it in callbacks of links. Handlers start in such a callback,
never inside of a task, and results resume the tasks that wait for them before the callback returns. A
driver never dials or listens; reconnector and acceptor never read or write frames.
"""
