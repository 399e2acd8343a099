"""Local links on every system but Windows: Unix sockets, unix(7)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial

from ...abc import Link, LinkReceiver, Listener, PeerIdentity
from ...exceptions import LinkError, LinkRefused, PeerNotTrusted
from ...system import ProcessId, state_directory
from ...system.peer_credentials import peer_credentials
from ...system.socket_file import SocketFile, check_path_length, try_connect
from ..links.peer_process import PeerProcess
from ..links.stream import StreamLink, StreamListener


def socket_path(name: str) -> str:
    """Return the path of a plain name's socket, or *name* if it is a path.

    Raises:
        ValueError: the path is too long for a socket.
        LinkError: the private directory cannot be used.
    """
    if name.startswith("/"):
        return check_path_length(name)
    hint = "; COMMUNICA_LIKE_DIR can name a directory with a shorter path"
    return check_path_length(str(state_directory() / name), hint)


async def connect_unix(path: str, receiver: LinkReceiver) -> Link:
    """Return a link to the server at *path*, as Connector.connect does."""
    loop = asyncio.get_running_loop()
    link = UnixLink(lambda _: receiver, partial(_identify, path=path, serving=False))
    try:
        sock = await try_connect(path)
        try:
            await loop.create_unix_connection(lambda: link, sock=sock)
        except BaseException:
            sock.close()
            raise
    except (ConnectionRefusedError, FileNotFoundError) as exc:
        raise LinkRefused(f"no server listens at {path}: {exc.strerror}") from exc
    except OSError as exc:
        raise LinkError(f"cannot connect to {path}: {exc}") from exc
    if link.refused is not None:
        raise link.refused
    return link


async def listen_on_unix(path: str, accept: Callable[[Link], LinkReceiver], url: str) -> Listener:
    """Serve *path*, as Connector.listen does."""
    file = SocketFile(path)
    link = partial(UnixLink, accept, partial(_identify, path=path, serving=True))
    create = partial(asyncio.get_running_loop().create_unix_server, link)
    return await StreamListener(url, [file.socket], file.release).start(create)


class UnixLink(StreamLink):
    """A link over a Unix socket. It breaks with PeerGone if the other process ends."""

    def _report(self, error: Exception | None) -> None:
        pid = self.peer.pid
        if not pid or pid == os.getpid() or self._ended_here:
            super()._report(error)
            return
        # The connection ends a moment before the process does.
        process = PeerProcess(ProcessId.of(pid), lambda: None)
        process.conclude(lambda gone: self.receiver.link_broken(gone or error), wait=True)


def _identify(transport: asyncio.BaseTransport, path: str, *, serving: bool) -> PeerIdentity:
    pid, uid, gid = peer_credentials(transport.get_extra_info("socket"))
    me = os.getuid()
    # Both sides accept their own user and root; root as a client accepts servers of any user.
    if uid in (None, 0, me) or (me == 0 and not serving):
        return PeerIdentity("local", path, pid, uid, gid)
    raise PeerNotTrusted(f"process {pid} at {path} belongs to user {uid}, and this process to user {me}")
