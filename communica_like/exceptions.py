"""Every exception that communica_like raises on purpose.

The tree::

    CommunicaError
    ├── FeatureNotAvailable            an optional package or a platform feature is missing
    ├── RouteOverrideError             a route name was registered twice
    ├── SerializerError                request data did not dump here, or did not load there
    ├── MessageTooBig                  a message is larger than a side allows
    ├── ReqError                       the requesting side is at fault          (message, code)
    │   └── NoSuchRoute                the other side has no such route         (code 404)
    ├── RespError                      the responding side is at fault          (message, code)
    ├── HandlerError                   a handler raised anything else           (message, code, traceback)
    ├── RequestTimeout                 no response within the call's timeout    (also a TimeoutError)
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
    │   ├── LinkRefused                no server serves the address
    │   ├── PeerGone                   the process at the other end has ended
    │   └── PeerNotTrusted             the kernel says that the peer is another user's process
    └── ProtocolError                  bytes or calls that break the wire protocol
        ├── LocalProtocolError         this program's mistake
        └── RemoteProtocolError        the other side's mistake

``UnknownError`` is the former name of ``HandlerError``.
"""

from __future__ import annotations

import errno
from typing import Any

from .arguments import check_kind

__all__ = [
    "AddressInUse",
    "AuthenticationError",
    "ClientIdInUse",
    "Closed",
    "CommunicaError",
    "ConnectTimeout",
    "ConnectionLost",
    "FeatureNotAvailable",
    "HandlerError",
    "HandshakeError",
    "InsecureAddress",
    "LinkError",
    "LinkRefused",
    "LocalProtocolError",
    "MessageTooBig",
    "NoSuchRoute",
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
    """A route name is already registered; a table never overrides one silently."""


class SerializerError(CommunicaError):
    """Request data could not be dumped here, or could not be loaded on the other side.

    ``request()`` also raises it when the response arrived and could not be loaded here.
    """

    @property
    def message(self) -> str:
        """What went wrong, as text."""
        return str(self.args[0]) if self.args else ""


class MessageTooBig(CommunicaError):
    """A message is larger than this side or the other side allows.

    It was not sent, and the connection is unharmed.
    """


class _RemoteError(CommunicaError):
    # For subclasses that do not call this __init__.
    message: str = ""
    code: int | None = None

    def __init__(self, message: str = "", code: int | None = None) -> None:
        check_kind(code, int | None, "a code is an int or None", f"{type(self).__name__}('text', 404)")
        super().__init__(message, code)
        self.message = message
        self.code = code

    def __str__(self) -> str:
        return self.message if self.code is None else f"{self.message} (code {self.code})"


class ReqError(_RemoteError):
    """The requesting side is at fault. Raise it in a handler to say so to the requester.

    Args:
        message: text for people.
        code: a number for programs, so that they need not read the message. By convention one of HTTP's
            4xx: 400 malformed, 403 forbidden, 404 not found, 409 conflict, 422 well-formed but wrong. Any
            integer of up to 64 bits will do. None: no code.
    """


class NoSuchRoute(ReqError):
    """The other side has no route of this name. The message names the nearest ones.

    Also raised when the two sides are of different kinds, a Simple and a Route entity.
    """

    def __init__(self, message: str = "", code: int | None = 404) -> None:
        super().__init__(message, code)


class RespError(_RemoteError):
    """The responding side is at fault. Raise it in a handler to say so to the requester.

    Args:
        message: text for people.
        code: as for ReqError; by convention one of HTTP's 5xx: 500 internal error, 501 not implemented,
            503 unavailable for now, 507 out of storage.
    """


class HandlerError(_RemoteError):
    """A handler raised something other than ReqError and RespError.

    ``message`` holds the repr of what was raised, ``traceback`` the remote traceback as text.
    """

    def __init__(self, message: str = "", code: int | None = None, traceback: str = "") -> None:
        super().__init__(message, code)
        self.args = (message, code, traceback)
        self.traceback = traceback

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text}\n\nRemote traceback:\n{self.traceback}" if self.traceback else text


UnknownError = HandlerError


class RequestTimeout(CommunicaError, TimeoutError):
    """No response came within the request's time. Its handler has been told to stop."""


class ConnectTimeout(CommunicaError, TimeoutError):
    """``init(timeout=...)`` could not connect, or listen, in time.

    The message names the address and the reason; the cause is the last attempt's error.
    """


class ConnectionLost(CommunicaError, ConnectionError):
    """The other process is gone or closing, or was unreachable for longer than the resume window.

    Attributes:
        sent: False: the request was certainly not handled, and it is safe to send it again.
            True: it was under way, and whether it was handled is unknown.
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
    """A queue would exceed a limit of the kernel.

    The message names the limit, its value, and how to raise it.
    """


class AddressInUse(CommunicaError, OSError):
    """A live server already serves this address. That server is unharmed."""

    def __init__(self, message: str = "") -> None:
        super().__init__(errno.EADDRINUSE, message)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.strerror,), self.__dict__


class InsecureAddress(CommunicaError, ValueError):
    """A TCP bind beyond loopback with neither TLS nor an authkey."""


class HandshakeError(CommunicaError):
    """The two sides reached each other and could not agree. The message says on what."""


class AuthenticationError(HandshakeError):
    """The authkeys differ, or only one side has one."""


class VersionMismatch(HandshakeError):
    """The two sides have no version of the wire protocol in common."""


class ClientIdInUse(HandshakeError):
    """Another live client holds the client id, or has taken it over."""


class LinkError(CommunicaError, ConnectionError):
    """A connector could not make a link to the other side.

    Attributes:
        lasting: whether another attempt would fail, too, so that it is no use to wait.
    """

    lasting = False


class LinkRefused(LinkError):
    """No server serves the address now."""


class PeerGone(LinkError):
    """The process at the other end of a link has certainly ended, and its sessions with it."""


class PeerNotTrusted(LinkError):
    """The process at the other end belongs to another user, according to the kernel."""


class ProtocolError(CommunicaError):
    """Bytes or calls that break the wire protocol."""


class LocalProtocolError(ProtocolError):
    """This program used a session in a way that its state does not allow."""


class RemoteProtocolError(ProtocolError):
    """The other side sent something that the wire protocol does not allow."""
