"""Handlers: what they are, how they run, and what becomes of their results.

- handlers.py: ``Handler``, a user's function with the codecs of its route, and ``Codecs`` for calls.
- context.py: ``Context``, what a handler may know besides the data, and the deadline that nested calls
  inherit.
- runner.py: ``HandlerRunner``, the loop that loads, calls and responds. A dispatcher of each backend
  derives from it, and adds what differs: credit of a session, acknowledgements of an inbox.
- tasks.py: ``EagerTask``. An ``async def`` handler runs at once, as its own task; only one that suspends
  costs a task, and only then is there something to cancel.
- responses.py: ``Responder`` turns results and exceptions into responses, and logs what has no requester.

A message is handled in the order in which it came, up to its handler's first suspension. Each request gets
exactly one response, or is cancelled: by its requester, by its deadline, or because the entity closes. A
handler that holds up the event loop is logged. What a handler raises never reaches the loop, except
KeyboardInterrupt.

This package knows neither links nor brokers: it imports no backend, and a response goes to a
``ResponseSink``.
"""
