"""The URL of an AMQP broker, split into its public parts and the password."""

from __future__ import annotations

import re
from typing import Final, NamedTuple, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from ..url import join_host_port

_PORTS: Final = {"amqp": 5672, "amqps": 5671}  # the default one of each scheme

_SECONDS: Final = ("heartbeat", "timeout")
_OPTIONS: Final = (*_SECONDS, "auth", "cafile", "capath", "cadata", "certfile", "keyfile", "no_verify_ssl")
_NOT_IN_HOSTS: Final = re.compile(r"[/?#@\[\]\s\x00-\x1f\x7f]")
_MAX_VHOST: Final = 127  # characters, as aiormq takes them


class BrokerUrl(NamedTuple):
    """A broker's location and the user to connect as. It holds no secret.

    Attributes:
        scheme: "amqp" or, for TLS, "amqps".
        user: the user's name.
        host, port: a host name or address without brackets, and a port.
        vhost: the virtual host's name; "/" is the default one.
        options: the query's options, sorted by name.
    """

    scheme: str
    user: str
    host: str
    port: int
    vhost: str
    options: tuple[tuple[str, str], ...]

    @classmethod
    def parse(
        cls, text: str, more: tuple[str, ...] = (), kind: str = ""
    ) -> tuple[Self, str | None, dict[str, str]]:
        """Return the URL, its password, and those of the options *more* that it has.

        Args:
            text: the URL, ASCII; user, password, vhost and options are percent-encoded UTF-8.
            more: names of options to accept beside aiormq's, and to leave out of the URL.
            kind: what follows ``amqp`` or ``amqps`` in the scheme, such as ``"+inbox"``.

        Raises:
            ValueError: *text* is malformed. The message does not hold the password.
        """
        if not isinstance(text, str):
            raise ValueError(f"a broker's URL is a str, not {type(text).__name__}")
        form = f"amqp{kind}://user:password@host:port/vhost is expected"
        found, _, rest = text.partition("://")
        scheme = found.removesuffix(kind)
        if scheme not in _PORTS or scheme + kind != found:
            known = f"the scheme {found!r}" if re.fullmatch(r"[a-z][a-z0-9+.-]*", found) else "something else"
            hint = f": connector_from('{found}://...') takes it" if found.partition("+")[0] in _PORTS else ""
            raise ValueError(f"{form}, or amqps{kind}://...; found is {known}{hint}")
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("a broker's URL with characters that should be percent-encoded")
        if re.search(r"%(?![0-9A-Fa-f]{2})", text):
            raise ValueError("a broker's URL with a % that encodes nothing")
        try:
            split = urlsplit(f"{scheme}://{rest}")
            host, port = split.hostname or "", split.port or _PORTS[scheme]
            user, password = _decoded(split.username), _decoded(split.password)
            vhost = _decoded(split.path.removeprefix("/")) or "/"
            query = parse_qsl(split.query, True, True, errors="strict") if split.query else []
        except ValueError:
            # Not chained: the cause may quote the password, or a part of it.
            raise ValueError(f"{form}; this one is malformed") from None
        if "@" in split.path or ("@" not in split.netloc and "@" in rest):
            # Most likely the password has a / or a ?: then no part of this URL may be shown.
            raise ValueError(f"{form}; / ? # @ in a name, a password or an option are percent-encoded")
        if not host or _NOT_IN_HOSTS.search(host) or split.fragment or "/" in split.path[1:]:
            raise ValueError(f"{form}; a / in a name is written as %2F")
        if len(vhost) > _MAX_VHOST:
            raise ValueError(f"a broker's URL with a vhost that is too long: at most {_MAX_VHOST} characters")
        options = dict(query)
        if len(options) < len(query):
            raise ValueError("a broker's URL with an option that is there twice")
        extra = {name: options.pop(name) for name in more if name in options}
        for name, value in options.items():
            if name not in _OPTIONS:
                raise ValueError(f"a broker's URL has no option {name!r}; it may have {', '.join(_OPTIONS)}")
            if name in _SECONDS and not (value.isascii() and value.isdecimal() and int(value) < 65535):
                raise ValueError(f"{name} is a number of seconds, not {value!r}")
        url = cls(scheme, user or "guest", host, port, vhost, tuple(sorted(options.items())))
        return url, password, extra

    def at(self, place: str) -> Self:
        """Return the same URL at another node, ``"host"`` or ``"host:port"``.

        Raises:
            ValueError: *place* is malformed.
        """
        if not isinstance(place, str) or not place or re.search(r"[@,/?#]", place):
            raise ValueError("a host of a cluster is written 'host' or 'host:port'")
        other, _, _ = self.parse(f"{self.scheme}://{place}/")
        return self._replace(host=other.host, port=other.port)

    @property
    def place(self) -> str:
        """Host and port, as text."""
        return join_host_port(self.host, self.port)

    def text(self, password: str | None = None, more: dict[str, str] | None = None, kind: str = "") -> str:
        """Return the URL as text.

        Args:
            password: added to the URL; the text is a secret then.
            more: options to put before the URL's own.
            kind: as for ``parse``.
        """
        secret = "" if password is None else f":{quote(password, safe='')}"
        pairs = [*(more or {}).items(), *self.options]
        query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in pairs)
        vhost = "" if self.vhost == "/" else quote(self.vhost, safe="")
        url = f"{self.scheme}{kind}://{quote(self.user, safe='')}{secret}@{self.place}/{vhost}"
        return f"{url}?{query}" if query else url


def _decoded(text: str | None) -> str | None:
    return None if text is None else unquote(text, errors="strict")
