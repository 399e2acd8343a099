"""The protocol of multiprocessing's managers: servers, and connections to them."""
