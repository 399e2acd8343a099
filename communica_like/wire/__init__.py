"""Bytes on a link: frames, their bodies, and the limits both sides agree on. Sans-I/O."""
