from __future__ import annotations

from pathlib import Path

from communica_like import FifoConnector, LocalConnector, TcpConnector
from communica_like.entities.backends import whereabouts


def test_where_a_connector_leads(tmp_path: Path) -> None:
    assert whereabouts(TcpConnector("127.0.0.1", 5)) == "tcp://127.0.0.1:5"
    named = LocalConnector("name")
    assert whereabouts(named) == f"local://name ({named.path})"
    path = tmp_path / "bell"
    assert whereabouts(FifoConnector(str(path))) == f"fifo://{path}"


def test_a_path_that_cannot_be_told() -> None:
    too_long = LocalConnector("x" * 200)
    assert whereabouts(too_long) == too_long.dump_state()
