"""StdioConnector: a client and the child process that it starts."""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from functools import partial
from typing import Any, ClassVar, Final, Self

from ...abc import Connector, ConnectorGuarantees, Link, LinkReceiver, Listener
from ...exceptions import FeatureNotAvailable, LinkError
from ..url import check_authkey, check_text, join_url, split_url

if sys.platform != "win32":
    from .child_link import ChildLink
    from .parent_link import listen_on_stdio

_CHILD: Final = "-"  # the URL of a child's connector, which has no command
_NOT_ON_WINDOWS: Final = (
    "StdioConnector needs a POSIX system; on Windows start the child yourself "
    "and give it the URL of a LocalConnector"
)


@dataclass(frozen=True, slots=True)
class StdioConnector(Connector):
    """Links between a client and a child process that it starts, over its stdio.

    The client takes ``StdioConnector(command)``; the child serves ``StdioConnector()``::

        async with SimpleClient(StdioConnector([sys.executable, "worker.py"])) as client: ...

        await SimpleServer(StdioConnector(), handler).run()   # in worker.py

    The child may run elsewhere: ``StdioConnector("ssh host python worker.py")``. POSIX only.

    **In the child**, when the server starts, the link gets descriptors of its own. Fd 0 becomes the null
    device and fd 1 stderr, until the process ends: what a handler, a C library or a grandchild prints, and
    what was printed before, goes to stderr, and ``input()`` finds the end of the file. A process serves once.
    Its ``run()`` returns when the client has closed or its process has ended.

    **The child's stderr** is passed on to this process's stderr. Its last 4 KiB are in the exceptions.

    **The child's end.** When the client closes, the child's stdin ends. A child that has not ended after
    *stop_timeout* gets SIGTERM, with its process group, and after the same time SIGKILL. It is always reaped,
    and the rest of its group is killed. If the child ends by itself, requests end as ConnectionLost, whose
    text has the exit code and the end of stderr, and so do later calls. With *restart*, another child is
    started after a wait (Backoff of the client), and gets the throws that were not accepted and the
    idempotent requests. If the client's process is killed, the child ends at once, and sends SIGTERM to the
    rest of its process group; if handlers hold it up, it is killed after 2 s, with the group. Silence does
    not end a child, unless a side sets ``Limits.heartbeat``.

    Args:
        command: the program and its arguments; or text, which is split like a shell does, and run without
            one. None: in the child.
        env: the child's environment, all of it; None: this process's.
        cwd: the directory the child starts in; None: this process's.
        restart: start another child when one has ended or did not start.
        stop_timeout: seconds of each wait for the child's end. In the child: it is killed twice that and 2 s
            after its stdin has ended.
        authkey: a shared secret for a mutual challenge, or None.
        on_stderr: called on the event loop with bytes that the child writes to stderr, in pieces, instead of
            passing them on. Not compared, and not pickled.

    The URL holds the command only: give the other arguments to ``load_state`` as keywords.

    Raises:
        ValueError, TypeError: an argument is malformed.
    """

    scheme: ClassVar[str] = "stdio"
    guarantees: ClassVar[ConnectorGuarantees] = ConnectorGuarantees(
        many_clients=False, resumes=False, verifies_user=True
    )
    handshake_timeout: ClassVar[float] = 60.0  # a child imports things first

    command: str | Sequence[str | os.PathLike[str]] | None = None
    _: KW_ONLY
    env: Mapping[str, str] | Iterable[tuple[str, str]] | None = field(default=None, repr=False)
    cwd: str | os.PathLike[str] | None = None
    restart: bool = False
    stop_timeout: float = 5.0
    authkey: bytes | None = field(default=None, repr=False)
    on_stderr: Callable[[bytes], object] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.command is not None:
            object.__setattr__(self, "command", _words(self.command))
        if self.env is not None:
            object.__setattr__(self, "env", tuple(sorted(dict(self.env).items())))
        if self.cwd is not None:
            object.__setattr__(self, "cwd", os.fspath(self.cwd))
        if not 0 <= self.stop_timeout < math.inf:
            raise ValueError(f"stop_timeout is a number of seconds, not {self.stop_timeout!r}")
        if self.on_stderr is not None and not callable(self.on_stderr):
            raise TypeError(f"on_stderr is called with bytes; {self.on_stderr!r} cannot be called")
        check_authkey(self.authkey)

    def __reduce__(self) -> tuple[Any, ...]:
        named = {each.name: getattr(self, each.name) for each in fields(self)}
        del named["on_stderr"]
        return partial(type(self), named.pop("command"), **named), ()

    @property
    def reconnects(self) -> bool:
        """Whether the client starts another child when one has ended: ``restart``."""
        return self.restart

    async def connect(self, receiver: LinkReceiver) -> Link:
        """Start the child, and return the link to it. See Connector.connect.

        Raises:
            ValueError: there is no command.
            LinkError: the child cannot be started, such as for a program or directory that does not exist.
            FeatureNotAvailable: on Windows.
        """
        if self.command is None:
            text = "a client needs StdioConnector(command), the command that starts the child"
            raise ValueError(f"StdioConnector() is for the server in a child process; {text}")
        if sys.platform == "win32":
            raise FeatureNotAvailable(_NOT_ON_WINDOWS)
        words = _words(self.command)
        env = None if self.env is None else dict(self.env)
        try:
            return ChildLink(receiver, words, env, self.cwd, self.stop_timeout, self.on_stderr or _pass_on)
        except OSError as exc:
            raise LinkError(f"cannot start {shlex.join(words)}: {exc}") from exc

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        """Take stdin and stdout over: see the class, and Connector.listen.

        Raises:
            ValueError: there is a command.
            AddressInUse: this process serves, or served before.
            LinkError: stdin and stdout are not pipes, so no client has started the process.
            FeatureNotAvailable: on Windows.
        """
        if self.command is not None:
            text = "the server in the child needs StdioConnector()"
            raise ValueError(f"StdioConnector(command) is for the client, which starts the child; {text}")
        if sys.platform == "win32":
            raise FeatureNotAvailable(_NOT_ON_WINDOWS)
        return listen_on_stdio(accept, self.dump_state(), self.stop_timeout)

    def dump_state(self) -> str:
        if self.command is None:
            return join_url(self.scheme, _CHILD)
        text = shlex.join(_words(self.command))
        return join_url(self.scheme, f"'{text}'" if text == _CHILD else text, safe="/")

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        command = split_url(text, cls.scheme)
        return cls(None if command == _CHILD else command, **secrets)


def _words(command: str | Sequence[str | os.PathLike[str]]) -> tuple[str, ...]:
    if not isinstance(command, (str, list, tuple)):
        raise TypeError(f"a command is a list of words, or text to split, not {command!r}")
    try:
        parts = shlex.split(command) if isinstance(command, str) else command
    except ValueError as exc:
        raise ValueError(f"the command {command!r} cannot be split: {exc}") from exc
    words = tuple(part if isinstance(part, str) else os.fspath(part) for part in parts)
    if not words or not words[0]:
        raise ValueError(f"a command begins with a program; {command!r} has none")
    for word in words:
        if "\0" in word:
            raise ValueError(f"a word without NUL is expected, not {word!r}")
        check_text("a word of a command", word)
    return words


def _pass_on(data: bytes) -> None:
    """Write to this process's stderr, even if it was replaced since the child started."""
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(2, rest) :]
    except OSError:
        pass  # stderr is closed, so there is nowhere to report it
