"""The bodies of the frames of the handshake: HELLO, CHALLENGE, WELCOME, REJECT; and of GOODBYE."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from struct import error as StructError
from typing import Final, Self

from ..exceptions import RemoteProtocolError
from .limits import Limits

MAGIC: Final = b"CMLK"
VERSION: Final = 1
OLDEST_VERSION: Final = 1
NONCE_SIZE: Final = 32
PROOF_SIZE: Final = 32
NO_SESSION: Final = bytes(16)

# The ``arg`` of a REJECT or GOODBYE frame.
OTHER: Final = 0
UNSUPPORTED_VERSION: Final = 1
AUTHENTICATION: Final = 2
CLIENT_ID_IN_USE: Final = 3
REPLACED: Final = 4

_LIMITS_SIZE: Final = Limits.WIRE.size


@dataclass(frozen=True, slots=True)
class Hello:
    """The body of the client's first frame.

    Attributes:
        client_id: the id that the client claims; 1 to 255 bytes of UTF-8.
        limits: the client's limits.
        nonce: 32 random bytes, for the challenge.
        session_id: the session to resume, or NO_SESSION.
        received: how many sequenced frames the client has received in that session.
        version, oldest: the client speaks all versions of this protocol from *oldest* to *version*.
    """

    client_id: str
    limits: Limits
    nonce: bytes
    session_id: bytes = NO_SESSION
    received: int = 0
    version: int = VERSION
    oldest: int = OLDEST_VERSION

    HEAD = Struct("!4sHH16sQ32s")

    def encode(self) -> bytes:
        """Return the frame's body."""
        head = self.HEAD.pack(MAGIC, self.version, self.oldest, self.session_id, self.received, self.nonce)
        return head + self.limits.encode() + self.client_id.encode()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Return the HELLO in *body*. Later versions keep the first 8 bytes, and may change the rest.

        Raises:
            RemoteProtocolError: *body* is malformed.
        """
        if body[:4] != MAGIC or len(body) < 8:
            raise RemoteProtocolError(f"no greeting of this protocol, but {body[:16]!r}")
        version, oldest = Struct("!HH").unpack_from(body, 4)
        if oldest > VERSION:
            # The format of the rest is unknown.
            return cls("?", Limits(), bytes(NONCE_SIZE), version=version, oldest=oldest)
        size = cls.HEAD.size
        if not size + _LIMITS_SIZE < len(body) <= size + _LIMITS_SIZE + 255:
            raise RemoteProtocolError(f"HELLO of {len(body)} bytes")
        _, _, _, session_id, received, nonce = cls.HEAD.unpack_from(body)
        limits = Limits.decode(body[size : size + _LIMITS_SIZE])
        try:
            client_id = body[size + _LIMITS_SIZE :].decode()
        except UnicodeDecodeError as exc:
            raise RemoteProtocolError("a client id that is not UTF-8") from exc
        return cls(client_id, limits, nonce, session_id, received, version, oldest)


@dataclass(frozen=True, slots=True)
class Challenge:
    """The server's response to HELLO if it has an authkey: its nonce, and proof that it knows the key."""

    nonce: bytes
    proof: bytes

    def encode(self) -> bytes:
        """Return the frame's body, 64 bytes."""
        return self.nonce + self.proof

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Return the challenge in *body*. Raise RemoteProtocolError."""
        if len(body) != NONCE_SIZE + PROOF_SIZE:
            raise RemoteProtocolError(f"CHALLENGE of {len(body)} bytes")
        return cls(body[:NONCE_SIZE], body[NONCE_SIZE:])


@dataclass(frozen=True, slots=True)
class Welcome:
    """The body of the server's last frame of the handshake.

    Attributes:
        version: the version that both sides speak from here on.
        resumed: whether the session that the client named continues; otherwise *session_id* is a new one.
        session_id: 16 random bytes.
        received: how many sequenced frames the server has received in the session.
        limits: the server's limits.
    """

    version: int
    resumed: bool
    session_id: bytes
    received: int
    limits: Limits

    HEAD = Struct("!HB16sQ")

    def encode(self) -> bytes:
        """Return the frame's body."""
        head = self.HEAD.pack(self.version, self.resumed, self.session_id, self.received)
        return head + self.limits.encode()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Return the WELCOME in *body*. Raise RemoteProtocolError."""
        size = cls.HEAD.size
        try:
            version, resumed, session_id, received = cls.HEAD.unpack(body[:size])
            limits = Limits.decode(body[size:])
        except StructError as exc:
            raise RemoteProtocolError(f"WELCOME of {len(body)} bytes") from exc
        return cls(version, bool(resumed), session_id, received, limits)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a link is refused (REJECT) or a session ended (GOODBYE)."""

    code: int
    text: str

    def encode(self) -> bytes:
        """Return the frame's body: the text, cut after 1,024 bytes. The code is the frame's ``arg``."""
        return self.text.encode("utf-8", "backslashreplace")[:1024]

    @classmethod
    def decode(cls, code: int, body: bytes) -> Self:
        """Return the reason in *body*. Bytes that are not UTF-8 are replaced."""
        return cls(code, body[:1024].decode("utf-8", "replace"))
