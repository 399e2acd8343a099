"""Finds the connector of a URL, among those of this package and of others.

A distribution registers a connector as an entry point of the group ``communica_like.connectors``, whose name
is the scheme::

    [project.entry-points."communica_like.connectors"]
    carrier = "carrier_pigeon:PigeonConnector"
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ..abc import Connector
from ..arguments import check_kind

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "communica_like.connectors"
"""The group of entry points that third parties register their connectors in."""

BUILT_IN: Final = {
    "amqp": ("amqp.connector", "RmqConnector"),
    "amqp+inbox": ("amqp.inbox.connector", "RmqInboxConnector"),
    "fifo": ("kernel.fifo", "FifoConnector"),
    "local": ("local.connector", "LocalConnector"),
    "manager": ("manager.connector", "ManagerConnector"),
    "memory": ("memory", "MemoryConnector"),
    "posixmq": ("kernel.posixmq", "PosixMQConnector"),
    "stdio": ("stdio.connector", "StdioConnector"),
    "sysv": ("kernel.sysv", "SysVConnector"),
    "tcp": ("tcp", "TcpConnector"),
}
"""This package's connectors: module and class by scheme. No distribution can take one of these schemes."""

_OTHER_SCHEMES: Final = {"amqps": "amqp", "amqps+inbox": "amqp+inbox"}
"""Other schemes of this package's connectors."""

_PASSWORD: Final = re.compile(r"(:)(?!//).*@", re.DOTALL)  # up to the last @: a password may hold : / @
_NAME: Final = re.compile(r"[\w.-]+", re.ASCII)
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")


def connector_from(url: str, **secrets: Any) -> Connector:
    """Return a connector of any kind from its URL, such as ``dump_state()`` returns.

    Args:
        url: such as ``tcp://host:port`` or ``local://name``; see ``url`` for all forms. Or the URL of a
            connector that an installed distribution registers.
        secrets: the arguments that the URL leaves out, such as ``authkey=``; for TCP also ``ssl=`` and
            ``insecure=``.

    Raises:
        ValueError: no connector has such a URL. The message says what was found.
        TypeError: *url* is no str.
        ImportError, TypeError: as for ``connector_class``.
    """
    check_kind(url, str, "a connector's URL is a str", "connector_from('local://name')")
    scheme, separator, _ = url.partition("://")
    connector = _find(scheme) if separator else None
    if connector is None:
        shown = _PASSWORD.sub(r"\1...@", url)  # a broker's URL, mistyped
        name = f"; the URL of a name is 'local://{url}'" if _NAME.fullmatch(url) else ""
        raise ValueError(f"no connector has the URL {shown!r}{name}; known are {_known_schemes()}")
    return connector.load_state(url, **secrets)


def connector_class(scheme: str) -> type[Connector]:
    """Return the connector class of a scheme, such as ``"tcp"``.

    Raises:
        ValueError: no connector has the scheme, or several distributions claim it. The message names them.
        ImportError: the distribution that registers the scheme, which the message names, cannot be loaded.
        TypeError: what the distribution registers is no connector of that scheme.
    """
    connector = _find(scheme)
    if connector is None:
        raise ValueError(f"no connector has the scheme {scheme!r}; known are {_known_schemes()}")
    return connector


def _find(scheme: str) -> type[Connector] | None:
    scheme = _OTHER_SCHEMES.get(scheme, scheme)
    if scheme in BUILT_IN:
        module, name = BUILT_IN[scheme]
        connector: type[Connector] = getattr(import_module(f"{__package__}.{module}"), name)
        return connector
    if not _SCHEME.fullmatch(scheme):
        return None
    found = [entry for entry in _entry_points() if entry.name == scheme]
    if len(found) > 1:
        claimants = " and ".join(sorted(_origin(entry) for entry in found))
        raise ValueError(f"the scheme {scheme!r} is claimed by {claimants}: uninstall all but one")
    return _load(found[0]) if found else None


def _load(entry: EntryPoint) -> type[Connector]:
    found = f"{entry.value} of {_origin(entry)}"
    try:
        connector = entry.load()
    except (ImportError, AttributeError) as exc:
        raise ImportError(f"the connector of {entry.name}://, {found}, cannot be loaded: {exc}") from exc
    if not (isinstance(connector, type) and issubclass(connector, Connector)):
        raise TypeError(f"{found} is no Connector, but {connector!r}")
    if connector.scheme != entry.name:
        raise TypeError(f"{found} is registered for {entry.name}://, and its scheme is {connector.scheme!r}")
    return connector


def _known_schemes() -> str:
    others = {entry.name for entry in _entry_points()} - BUILT_IN.keys()
    return ", ".join(f"{scheme}://" for scheme in [*BUILT_IN, *sorted(others)])


def _entry_points() -> list[EntryPoint]:
    # Imported only here: it imports the email package, which programs with built-in connectors do not need.
    from importlib.metadata import entry_points

    return list(entry_points(group=GROUP))


def _origin(entry: EntryPoint) -> str:
    if entry.dist is None:
        return "an unknown distribution"
    return f"the distribution {entry.dist.name} {entry.dist.version}"
