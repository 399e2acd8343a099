"""The programs of the kit with TLS. Arguments: ``server`` or ``client``, and theirs."""

from __future__ import annotations

import sys
from functools import partial

from communica_like.testing.conformance import client, server
from tests.testing.conformance.media import tls_connector

role = sys.argv.pop(1)
make = partial(tls_connector, role)
if role == "server":
    server.main(make)
else:
    client.main(make)
