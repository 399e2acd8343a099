"""Local links on Windows: named pipes, through the proactor event loop.

Typed and reviewed, but not run in this project's CI, which has no Windows machine.
"""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Callable
from typing import Any

from ...abc import Link, LinkReceiver, Listener, PeerIdentity
from ...exceptions import AddressInUse, FeatureNotAvailable, LinkError, LinkRefused
from ..links.stream import StreamLink, StreamListener


def pipe_path(name: str) -> str:
    r"""Return ``\\.\pipe\communica_like-<user>-<name>``, or *name* if it is a path."""
    if name.startswith("/"):
        return name.replace("/", "\\")
    return rf"\\.\pipe\communica_like-{getpass.getuser()}-{name}"


async def connect_pipe(path: str, receiver: LinkReceiver) -> Link:
    """Return a link to the server at *path*, as Connector.connect does."""
    link = StreamLink(lambda _: receiver, lambda transport: PeerIdentity("local", path))
    try:
        await _proactor().create_pipe_connection(lambda: link, path)
    except FileNotFoundError as exc:
        raise LinkRefused(f"no server listens at {path}") from exc
    except OSError as exc:
        raise LinkError(f"cannot connect to {path}: {exc}") from exc
    return link


async def listen_on_pipe(path: str, accept: Callable[[Link], LinkReceiver], url: str) -> Listener:
    """Serve *path*, as Connector.listen does."""
    try:
        servers = await _proactor().start_serving_pipe(
            lambda: StreamLink(accept, lambda transport: PeerIdentity("local", path)), path
        )
    except PermissionError as exc:  # the first instance of a pipe owns its name
        raise AddressInUse(f"a live server already serves {path}") from exc
    except OSError as exc:
        raise LinkError(f"cannot serve {path}: {exc}") from exc
    return StreamListener(url, (), lambda: [server.close() for server in servers])


def _proactor() -> Any:
    loop = asyncio.get_running_loop()
    if not hasattr(loop, "create_pipe_connection"):
        text = "named pipes need asyncio's ProactorEventLoop, the default on Windows; this loop is"
        raise FeatureNotAvailable(f"{text} {type(loop).__name__} on {sys.platform}")
    return loop
