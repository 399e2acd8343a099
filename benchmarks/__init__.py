"""How fast the library is, beside the fastest that pure Python on the stock event loop can be.

Run in a checkout: ``python -m benchmarks`` for the library over one kind of socket, ``python -m
benchmarks.connectors`` for each connector, ``python -m benchmarks.queues`` for the queues. Every contestant
has a server and a client process of its own; all of them take turns within one run, and each is shown as a
share of the raw limit, or as a multiple of the medium by hand, in the same round.
"""
