"""Blocking clients and servers: SimpleServer, SimpleClient, RouteServer, RouteClient.

Each is a facade of its async twin, with the same constructor and ``portal=`` and ``threads=`` besides.
base.py has what both sides share: start, close, run, and what happens at exit and after a fork. clients.py
and servers.py name the methods that the facade adapts, with their signatures.

A call goes through the portal: ``request`` runs the async ``request`` on the portal's loop, and Ctrl-C
cancels it there. Handlers run in threads of the entity (handler_threads.py), so they may block and may call
their entity again; ``async def`` handlers run on the loop. The portal stays entered while an entity is
running, so that it answers between calls. Nothing here knows of sessions, links or connectors.
"""
