"""Import of packages that not everybody has installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from communica_like.exceptions import FeatureNotAvailable

__all__ = ["optional_package"]


def optional_package(name: str, extra: str) -> Any:
    """Import the module *name* now and return it.

    Args:
        name: the module, such as ``"orjson"``.
        extra: the extra of communica_like that installs it.

    Raises:
        FeatureNotAvailable: it does not import; the message names the ``pip install`` command.
    """
    try:
        return import_module(name)
    except ImportError as exc:
        raise FeatureNotAvailable(
            f"cannot import {name} ({exc}): pip install 'communica_like[{extra}]'"
        ) from exc
