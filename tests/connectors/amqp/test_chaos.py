"""RmqConnector while its broker is restarted, killed, and made to close connections."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.amqp.traffic import disturbed
from tests.rmq_broker import PrivateBroker, needs_private_broker


@pytest.fixture
def broker() -> Iterator[PrivateBroker]:
    needs_private_broker()
    with PrivateBroker() as started:
        yield started


@pytest.mark.chaos
@pytest.mark.timeout(300)
async def test_exactly_once_however_the_broker_ends(broker: PrivateBroker) -> None:
    def restart() -> None:
        broker.stop()
        broker.start()

    def kill() -> None:
        broker.kill()
        broker.start()
        durable = broker.ctl("list_queues", "durable", "--no-table-headers").split()
        assert "true" not in durable

    def close_all() -> None:
        broker.ctl("close_all_connections", "the test wants it")

    await disturbed(broker, [close_all, restart, kill, restart, close_all, restart, close_all], 3000)
