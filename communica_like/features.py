"""Import of optional packages, which extras of communica_like install."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from communica_like.exceptions import FeatureNotAvailable


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
        text = f"cannot import {name} ({exc}): pip install '{_requirement(name, extra)}'"
        raise FeatureNotAvailable(f"{text}, the extra [{extra}] of communica_like") from exc


def _requirement(name: str, extra: str) -> str:
    # The package itself, not communica_like[extra]: that may have been installed from a clone.
    from importlib import metadata  # not at the top: it imports email, and a lot more

    try:
        lines = [line.replace("'", '"') for line in metadata.requires("communica_like") or []]
        found = [line for line in lines if f'extra == "{extra}"' in line]
    except metadata.PackageNotFoundError:  # a source tree on sys.path
        found = []
    return found[0].partition(";")[0].strip() if found else name.partition(".")[0]
