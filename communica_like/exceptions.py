"""Every exception that communica_like raises on purpose.

The tree::

    CommunicaError
    ├── FeatureNotAvailable            an optional package or a platform feature is missing
    ├── RouteOverrideError             a route name was registered twice
    ├── SerializerError                request data did not dump here, or did not load there
    ├── MessageTooBig                  a message is larger than a side allows
    ├── ReqError                       the requesting side is at fault          (message, code)
    ├── RespError                      the responding side is at fault          (message, code)
    ├── UnknownError                   a handler raised anything else           (message, code, traceback)
    ├── RequestTimeout                 no answer within ``timeout=``            (also a TimeoutError)
    ├── ConnectTimeout                 ``init(timeout=)`` ran out               (also a TimeoutError)
    ├── ConnectionLost                 the other process is gone                (also a ConnectionError)
    ├── Closed                         this entity was closed, or never started
    ├── QueueLimitReached              the kernel allows no such queue          (also an OSError)
    ├── AddressInUse                   a live server already serves the address (also an OSError)
    ├── InsecureAddress                an unprotected bind beyond this machine  (also a ValueError)
    ├── HandshakeError                 the two sides could not agree
    │   ├── AuthenticationError        an authkey is wrong, missing or unwanted
    │   ├── VersionMismatch            no protocol version in common
    │   └── ClientIdInUse              another live client holds the client id
    ├── LinkError                      a connector could not give a link        (also a ConnectionError)
    │   ├── LinkRefused                nobody serves the address
    │   ├── PeerGone                   the process at the other end has ended
    │   └── PeerNotTrusted             the kernel says that the peer is another user's process
    └── ProtocolError                  bytes or calls that break the wire protocol
        ├── LocalProtocolError         this program's mistake
        └── RemoteProtocolError        the other side's mistake
"""

from __future__ import annotations

import errno

__all__ = [
    "AddressInUse",
    "AuthenticationError",
    "ClientIdInUse",
    "Closed",
    "CommunicaError",
    "ConnectTimeout",
    "ConnectionLost",
    "FeatureNotAvailable",
    "HandshakeError",
    "InsecureAddress",
    "LinkError",
    "LinkRefused",
    "LocalProtocolError",
    "MessageTooBig",
    "PeerGone",
    "PeerNotTrusted",
    "ProtocolError",
    "QueueLimitReached",
    "RemoteProtocolError",
    "ReqError",
    "RequestTimeout",
    "RespError",
    "RouteOverrideError",
    "SerializerError",
    "UnknownError",
    "VersionMismatch",
]


class CommunicaError(Exception):
    """Base of all errors of this library."""


class FeatureNotAvailable(CommunicaError):
    """An optional package is not installed, or the platform lacks what is needed.

    The message names the cure, such as the ``pip install`` command.
    """


class RouteOverrideError(CommunicaError):
    """A route name is already registered; a table never overrides in silence."""


class SerializerError(CommunicaError):
    """Request data could not be dumped here, or not be loaded by the other side.

    On ``request()`` it also means that the answer arrived but could not be loaded here.
    """

    @property
    def message(self) -> str:
        """What went wrong, as text."""
        return str(self.args[0]) if self.args else ""


class MessageTooBig(CommunicaError):
    """A message is larger than this side or the other side allows.

    It was not sent; the connection is unharmed.
    """


class _HandlerError(CommunicaError):
    # For subclasses that do not call this __init__.
    message: str = ""
    code: int | None = None

    def __init__(self, message: str = "", code: int | None = None) -> None:
        super().__init__(message, code)
        self.message = message
        self.code = code

    def __str__(self) -> str:
        return self.message if self.code is None else f"{self.message} (code {self.code})"


class ReqError(_HandlerError):
    """The requesting side is at fault. Raise it in a handler to tell the requester so.

    Args:
        message: text for the requester.
        code: an integer for programs, of up to 64 bits, or None.
    """


class RespError(_HandlerError):
    """The responding side is at fault. Raise it in a handler to tell the requester so.

    Args:
        message: text for the requester.
        code: an integer for programs, of up to 64 bits, or None.
    """


class UnknownError(_HandlerError):
    """A handler raised something that is neither ReqError nor RespError.

    ``message`` holds the repr of what was raised, ``traceback`` the remote traceback as text.
    """

    def __init__(self, message: str = "", code: int | None = None, traceback: str = "") -> None:
        super().__init__(message, code)
        self.args = (message, code, traceback)
        self.traceback = traceback

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text}\n\nRemote traceback:\n{self.traceback}" if self.traceback else text


class RequestTimeout(CommunicaError, TimeoutError):
    """No answer came within the request's time. Its handler has been told to stop."""


class ConnectTimeout(CommunicaError, TimeoutError):
    """``init(timeout=...)`` could not reach the server in time. The cause holds the last error."""


class ConnectionLost(CommunicaError, ConnectionError):
    """The other process is gone or closing, or was unreachable for longer than the resume window.

    Attributes:
        sent: False: the request surely was not handled, so that it is safe to send it again.
            True: it was on its way; whether it was handled is unknown.
    """

    def __init__(self, message: str = "", sent: bool = True) -> None:
        super().__init__(message, sent)
        self.message = message
        self.sent = sent

    @property
    def outcome(self) -> str:
        """``"not sent"`` or ``"unknown"``."""
        return "unknown" if self.sent else "not sent"

    def __str__(self) -> str:
        return f"{self.message} (outcome: {self.outcome})"


class Closed(CommunicaError):
    """The entity is closed, was closed while the call waited, or has not been started."""


class QueueLimitReached(CommunicaError, OSError):
    """A queue would be beyond a limit of the kernel.

    The message says which one, its value, and how to raise it.
    """


class AddressInUse(CommunicaError, OSError):
    """A live server already serves this address. It is unharmed."""

    def __init__(self, message: str = "") -> None:
        super().__init__(errno.EADDRINUSE, message)


class InsecureAddress(CommunicaError, ValueError):
    """TCP was to be bound beyond loopback with neither TLS nor an authkey."""


class HandshakeError(CommunicaError):
    """The two sides reached each other and could not agree. The message says on what."""


class AuthenticationError(HandshakeError):
    """The authkeys differ, or only one side has one."""


class VersionMismatch(HandshakeError):
    """The two sides speak no common version of the wire protocol."""


class ClientIdInUse(HandshakeError):
    """Another live client holds the client id, or has taken it over."""


class LinkError(CommunicaError, ConnectionError):
    """A connector could not give a link to the other side."""


class LinkRefused(LinkError):
    """Nobody serves the address: the process is not there (yet, or any more)."""


class PeerGone(LinkError):
    """The process at the other end of a link has surely ended, and its sessions with it."""


class PeerNotTrusted(LinkError):
    """The process at the other end belongs to another user, says the kernel."""


class ProtocolError(CommunicaError):
    """Bytes or calls that break the wire protocol."""


class LocalProtocolError(ProtocolError):
    """This program used a session in a way that its state does not allow."""


class RemoteProtocolError(ProtocolError):
    """The other side sent what the wire protocol does not allow."""
