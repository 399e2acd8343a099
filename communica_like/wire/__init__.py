"""Frames: how messages are written as bytes on a link. Sans-I/O: no clock, no socket, no await.

A link carries a stream of frames, each with a header of 20 bytes (``frames``). The first frames on a link are
the handshake's, whose bodies are in ``greetings``; in them each side announces its ``limits``. All others
belong to a session, which packs and unpacks their headers itself, many at a time, because that is the fastest
part of it. ``framing`` cuts a stream into frames for the handshake, where frames are few and the other side
is a stranger. ``failure`` is the body of an ERROR frame.

Everything here is a value: encoded to bytes, decoded from bytes. Decoding checks sizes before it allocates
and raises RemoteProtocolError for what the other side should not have sent. What may come when, and what it
does, is the session's. docs/topics/wire-format.md is the specification, and ``tests/vectors`` holds examples
in bytes.
"""
