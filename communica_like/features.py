"""Import of optional packages, which extras of communica_like install."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from communica_like.exceptions import FeatureNotAvailable

__all__ = ["optional_package"]


def optional_package(name: str, extra: str) -> Any:
    """Import the module *name* and return it.

    Args:
        name: of the module, such as ``"orjson"``.
        extra: the extra of communica_like that installs it.

    Raises:
        FeatureNotAvailable: the import fails; the message has the ``pip install`` command.
    """
    try:
        return import_module(name)
    except ImportError as exc:
        raise FeatureNotAvailable(
            f"cannot import {name} ({exc}): pip install 'communica_like[{extra}]'"
        ) from exc
