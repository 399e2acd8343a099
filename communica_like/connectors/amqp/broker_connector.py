"""What RmqConnector and RmqInboxConnector have in common: a broker, an address there, and a user."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from functools import partial
from ssl import SSLContext
from typing import Any, ClassVar, Final, Self

from ...abc import Connector
from ..url import check_authkey
from .key import BrokerKey
from .names import check_exchange, check_name
from .url import BrokerUrl

_DEFAULT_PASSWORD: Final = "guest"  # aiormq's, where none is given
_IN_URL: Final = ("address", "exchange_name", "client_id", "hosts")


@dataclass(frozen=True, slots=True)
class BrokerConnector(Connector):
    """An address at a RabbitMQ broker. The subclasses describe the arguments."""

    _numbers: ClassVar[dict[str, int]] = {}  # the subclass's own options, and the largest value of each

    url: str
    address: str
    client_id: str | None = None
    exchange_name: str | None = None
    password: str | None = field(default=None, repr=False, kw_only=True)
    ssl: SSLContext | None = field(default=None, repr=False, kw_only=True)
    hosts: tuple[str, ...] = field(default=(), kw_only=True)
    _where: BrokerUrl = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        hosts: object = self.hosts
        if isinstance(hosts, str):
            raise TypeError(f"hosts is a tuple of hosts, not the str {hosts!r}")
        where, password, _ = BrokerUrl.parse(self.url)
        if password is not None and self.password not in (None, password):
            raise ValueError("a password in the URL, and another one as password=")
        object.__setattr__(self, "_where", where)
        object.__setattr__(self, "url", where.text())
        password = self.password if password is None else password
        object.__setattr__(self, "password", None if password == _DEFAULT_PASSWORD else password)
        object.__setattr__(self, "hosts", tuple(self.hosts))
        if self.password is not None and not isinstance(self.password, str):
            raise TypeError(f"password must be a str, not {type(self.password).__name__}")
        check_name("an address", self.address)
        if self.client_id is not None:
            check_name("client_id", self.client_id)
        if self.exchange_name is not None:
            check_exchange(self.exchange_name)
        if self.ssl is not None and not isinstance(self.ssl, SSLContext):
            raise TypeError(f"ssl must be an ssl.SSLContext, not {type(self.ssl).__name__}")
        if self.ssl is not None and where.scheme != "amqps":
            raise ValueError("ssl= is for amqps:// URLs")
        check_authkey(self.authkey)
        for host in self.hosts:
            where.at(host)
        for name, most in self._numbers.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= most:
                raise ValueError(f"{name} is a number from 1 to {most}, not {value!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        if self.ssl is not None:
            text = "send dump_state() instead, and give ssl= and password= to load_state() at the other end"
            raise TypeError(f"an SSLContext cannot be pickled: {text}")
        arguments = {each.name: getattr(self, each.name) for each in fields(self) if each.init}
        return partial(type(self), **arguments), ()

    def dump_state(self) -> str:
        options = {name: getattr(self, name) for name in (*_IN_URL, *self._numbers)}
        options["hosts"] = ",".join(self.hosts) or None
        given = {name: str(value) for name, value in options.items() if value is not None}
        return self._where.text(more=given, kind=self.scheme.removeprefix("amqp"))

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        kind = cls.scheme.removeprefix("amqp")
        where, password, options = BrokerUrl.parse(text, (*_IN_URL, *cls._numbers), kind)
        if "address" not in options:
            raise ValueError(f"{where.text(kind=kind)} lacks the option address=")
        arguments: dict[str, Any] = {**options, **secrets}
        if "hosts" in options:
            arguments["hosts"] = options["hosts"].split(",")
        for name in cls._numbers.keys() & options.keys():
            if not (options[name].isascii() and options[name].isdecimal()):
                raise ValueError(f"{name}= is a number, not {options[name]!r}")
            arguments[name] = int(options[name])
        return cls(where.text(password), **arguments)

    def _key(self) -> BrokerKey:
        """Return which connection to use, in this process."""
        name = self.client_id or f"communica_like {os.getpid()}"
        others = tuple(self._where.at(host) for host in self.hosts)
        return BrokerKey(self._where, self.password, self.ssl, name, self.exchange_name or "", others)
