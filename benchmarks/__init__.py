"""How fast the library is, beside the fastest that pure Python on the stock event loop can be.

Run ``python -m benchmarks`` in a checkout. Every contestant has a server and a client process of its own;
all of them take turns within one run, and each is shown as a share of the raw limit in the same round.
"""
