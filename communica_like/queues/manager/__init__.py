"""Queues of a multiprocessing manager, and the host that holds them."""
