"""The handshake on a new link: versions, limits, proof of the key, and the session to resume.

::

    client                            server
    HELLO ──────────────────────────►
          ◄────────────────────────── CHALLENGE     only if the server has an authkey
    PROOF ──────────────────────────►
          ◄────────────────────────── WELCOME       or REJECT

Both proofs are HMAC-SHA256 (RFC 2104) with the authkey, over a label for the side, the HELLO (which contains
the client's nonce) and the server's nonce.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from ..exceptions import (
    AuthenticationError,
    ClientIdInUse,
    HandshakeError,
    LocalProtocolError,
    RemoteProtocolError,
    VersionMismatch,
)
from ..wire.frames import CHALLENGE, GOODBYE, HELLO, PROOF, REJECT, WELCOME, control
from ..wire.framing import FrameReader
from ..wire.greetings import (
    AUTHENTICATION,
    CLIENT_ID_IN_USE,
    NO_SESSION,
    NONCE_SIZE,
    OLDEST_VERSION,
    REPLACED,
    UNSUPPORTED_VERSION,
    VERSION,
    Challenge,
    Hello,
    Reason,
    Welcome,
)
from ..wire.limits import Limits

_MAX_PAYLOAD: Final = 4096
_ERRORS: Final = {
    UNSUPPORTED_VERSION: VersionMismatch,
    AUTHENTICATION: AuthenticationError,
    CLIENT_ID_IN_USE: ClientIdInUse,
    REPLACED: ClientIdInUse,
}


def error_for(reason: Reason) -> HandshakeError:
    """Return the exception for a reason that the other side gave."""
    return _ERRORS.get(reason.code, HandshakeError)(reason.text)


def _prove(authkey: bytes, side: bytes, hello: bytes, server_nonce: bytes) -> bytes:
    return hmac.digest(authkey, b"communica_like " + side + hello + server_nonce, hashlib.sha256)


class ClientHandshake:
    """The client's side of the handshake.

    Args:
        client_id: 1 to 255 bytes of UTF-8.
        limits: to announce.
        authkey: the shared secret; None: the server must not ask for one.
        session_id: the session to resume, or NO_SESSION.
        received: how many sequenced frames were received in it.

    Attributes:
        outgoing: bytes to send. The driver sets it to ``b""`` after it has sent them.
        welcome: the server's WELCOME once the handshake is done; then ``rest`` has what followed it.
    """

    def __init__(
        self, client_id: str, limits: Limits, authkey: bytes | None, session_id: bytes = NO_SESSION,
        received: int = 0,
    ) -> None:
        self._authkey = authkey
        self._session_id = session_id
        self._reader = FrameReader(_MAX_PAYLOAD)
        self._server_proved = authkey is None
        self._hello = Hello(client_id, limits, secrets.token_bytes(NONCE_SIZE), session_id, received).encode()
        self.outgoing = control(HELLO, self._hello)
        self.welcome: Welcome | None = None

    def receive(self, data: bytes) -> None:
        """Take bytes from the link.

        Raises:
            HandshakeError: the two sides cannot agree; ``outgoing`` may have a last frame to send.
            RemoteProtocolError: the other side violates the protocol, or speaks another one.
        """
        self._reader.feed(data)
        while self.welcome is None and (frame := self._reader.next_frame()) is not None:
            kind, arg, payload = frame
            if kind == CHALLENGE:
                self._answer(Challenge.decode(payload))
            elif kind == REJECT:
                raise error_for(Reason.decode(arg, payload))
            elif kind == WELCOME:
                self._enter(Welcome.decode(payload))
            else:
                raise RemoteProtocolError(f"a frame of kind {kind} during the handshake")

    def rest(self) -> bytes:
        """Remove the bytes that followed the WELCOME, and return them."""
        return self._reader.rest()

    def _answer(self, challenge: Challenge) -> None:
        if self._authkey is None:
            raise AuthenticationError("the server asks for an authkey, and this client has none")
        expected = _prove(self._authkey, b"server", self._hello, challenge.nonce)
        if not hmac.compare_digest(challenge.proof, expected):
            reason = Reason(AUTHENTICATION, "the client has another authkey")
            self.outgoing += control(REJECT, reason.encode(), arg=reason.code)
            raise AuthenticationError("the server does not know this client's authkey")
        self._server_proved = True
        self.outgoing += control(PROOF, _prove(self._authkey, b"client", self._hello, challenge.nonce))

    def _enter(self, welcome: Welcome) -> None:
        if not self._server_proved:
            # For the server the session has begun: without a GOODBYE it would wait for this client to return.
            reason = Reason(AUTHENTICATION, "the client wants a server that knows its authkey")
            self.outgoing += control(GOODBYE, reason.encode(), arg=reason.code)
            raise AuthenticationError("this client has an authkey, and the server asks for none")
        if not OLDEST_VERSION <= welcome.version <= VERSION:
            raise VersionMismatch(f"the server chose version {welcome.version}; this side speaks {VERSION}")
        if welcome.resumed and (self._session_id == NO_SESSION or welcome.session_id != self._session_id):
            raise RemoteProtocolError("the server resumes a session that was not asked for")
        self.welcome = welcome


class ServerHandshake:
    """The server's side of the handshake. Feed it until ``hello`` is set; then ``accept`` or ``reject``.

    Args:
        limits: to announce.
        authkey: the shared secret that clients have to prove; None: no challenge.

    Attributes:
        outgoing: bytes to send. The driver sets it to ``b""`` after it has sent them.
        hello: the client's HELLO, once it is complete and the client has proved to know the key.
    """

    def __init__(self, limits: Limits, authkey: bytes | None) -> None:
        self._limits = limits
        self._authkey = authkey
        self._reader = FrameReader(_MAX_PAYLOAD)
        self._nonce = secrets.token_bytes(NONCE_SIZE)
        self._waiting_for_proof: Hello | None = None
        self._hello_body = b""
        self.outgoing = b""
        self.hello: Hello | None = None

    def receive(self, data: bytes) -> None:
        """Take bytes from the link.

        Raises:
            HandshakeError: the two sides cannot agree; ``outgoing`` has the REJECT to send.
            RemoteProtocolError: the other side violates the protocol, or speaks another one.
        """
        self._reader.feed(data)
        while self.hello is None and (frame := self._reader.next_frame()) is not None:
            kind, arg, payload = frame
            if kind == HELLO and self._waiting_for_proof is None:
                self._greet(payload)
            elif kind == PROOF and self._waiting_for_proof is not None:
                self._check(payload)
            elif kind == REJECT:
                raise error_for(Reason.decode(arg, payload))
            else:
                raise RemoteProtocolError(f"a frame of kind {kind} during the handshake")

    def accept(self, session_id: bytes, *, resumed: bool, received: int) -> None:
        """Send the WELCOME, which ends the handshake.

        Args:
            session_id: of the new session, or of the one that is resumed.
            received: how many sequenced frames this side has received in it.
        """
        if self.hello is None:
            raise LocalProtocolError("no complete HELLO to accept")
        welcome = Welcome(VERSION, resumed, session_id, received, self._limits)
        self.outgoing += control(WELCOME, welcome.encode())

    def reject(self, reason: Reason) -> None:
        """Send a REJECT, which ends the handshake."""
        self.outgoing += control(REJECT, reason.encode(), arg=reason.code)

    def rest(self) -> bytes:
        """Remove the bytes that followed the client's last frame, and return them."""
        return self._reader.rest()

    def _greet(self, body: bytes) -> None:
        hello = Hello.decode(body)
        if hello.version < OLDEST_VERSION or hello.oldest > VERSION:
            text = f"the client speaks versions {hello.oldest} to {hello.version}, "
            text += f"the server {OLDEST_VERSION} to {VERSION}"
            self.reject(Reason(UNSUPPORTED_VERSION, text))
            raise VersionMismatch(text)
        if self._authkey is None:
            self.hello = hello
            return
        self._waiting_for_proof = hello
        self._hello_body = body
        proof = _prove(self._authkey, b"server", body, self._nonce)
        self.outgoing += control(CHALLENGE, Challenge(self._nonce, proof).encode())

    def _check(self, proof: bytes) -> None:
        authkey = self._authkey or b""
        if not hmac.compare_digest(proof, _prove(authkey, b"client", self._hello_body, self._nonce)):
            self.reject(Reason(AUTHENTICATION, "the authkeys differ"))
            raise AuthenticationError("the client does not know the authkey")
        self.hello = self._waiting_for_proof
