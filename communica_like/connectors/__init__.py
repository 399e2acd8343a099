"""How two sides find each other: one file for each kind of link."""

from typing import Any

from ..abc import Connector
from .local import LocalConnector
from .memory import MemoryConnector
from .tcp import TcpConnector

__all__ = ["LocalConnector", "MemoryConnector", "TcpConnector", "connector_from"]

_CONNECTORS: dict[str, type[Connector]] = {
    connector.scheme: connector for connector in (LocalConnector, MemoryConnector, TcpConnector)
}


def connector_from(url: str, **secrets: Any) -> Connector:
    """Return the connector of a URL, such as ``dump_state()`` gives, whatever its kind.

    Args:
        url: ``tcp://host:port``, ``local://name``, ``local:///path`` or ``memory://name``.
        secrets: what the URL leaves out: ``authkey=``, and for TCP ``ssl=`` and ``insecure=``.

    Raises:
        ValueError: no connector has such a URL; the message says what was found.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in _CONNECTORS:
        known = ", ".join(f"{name}://" for name in _CONNECTORS)
        raise ValueError(f"no connector has the URL {url!r}; known are {known}")
    return _CONNECTORS[scheme].load_state(url, **secrets)
