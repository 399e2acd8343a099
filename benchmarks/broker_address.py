"""Where the contestants over a broker meet: ``amqp://user@host:port/?address=name``."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["BROKER", "split"]

BROKER: Final = os.environ.get("COMMUNICA_LIKE_BENCH_BROKER", "amqp://guest@127.0.0.1:5672/")
"""The broker. Its user's password is ``guest``."""


def split(address: str) -> tuple[str, str]:
    """Return the broker's URL, with the password, and the name."""
    url, _, name = address.partition("?address=")
    return url.replace("@", ":guest@", 1), name
