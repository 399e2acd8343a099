"""Links over a multiprocessing manager's server."""
