"""StdioConnector by itself: what it holds, and who may not use it."""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from communica_like import Closed, SimpleClient, SimpleServer, StdioConnector, connector_from
from communica_like.exceptions import FeatureNotAvailable, LinkError
from tests.connectors.recorder import Recorder
from tests.connectors.stdio.stage import PATIENCE, ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pipes that an event loop can watch")


@pytest.mark.parametrize(
    "command, url",
    [
        (None, "stdio://-"),
        ("python worker.py", "stdio://python%20worker.py"),
        ("ssh host 'a b'", "stdio://ssh%20host%20%27a%20b%27"),
        (["-"], "stdio://%27-%27"),
        (["/usr/bin/env", "", "é\n'\"%"], None),
        (("a", Path("b/c")), "stdio://a%20b/c"),
    ],
)
def test_url_and_pickle(command: Any, url: str | None) -> None:
    connector = StdioConnector(command)
    assert url in (None, connector.dump_state())
    for other in (
        connector_from(connector.dump_state()),
        StdioConnector.from_state(connector.dump_state()),
        pickle.loads(pickle.dumps(connector)),
    ):
        assert other == connector
        assert hash(other) == hash(connector)


def test_what_a_url_leaves_out() -> None:
    arguments: dict[str, Any] = {
        "env": {"B": "secret", "A": "b"},
        "cwd": Path("/"),
        "restart": True,
        "stop_timeout": 1.5,
        "authkey": b"secret",
    }
    connector = StdioConnector("a b", on_stderr=print, **arguments)
    assert connector.dump_state() == "stdio://a%20b"
    assert "secret" not in repr(connector)
    assert connector_from(connector.dump_state(), **arguments) == connector
    copy = pickle.loads(pickle.dumps(connector))
    assert copy == connector
    assert copy.on_stderr is None
    assert copy.restart is copy.reconnects is True
    for name, value in {"restart": False, "env": None, "stop_timeout": 2, "authkey": None}.items():
        assert StdioConnector("a b", **{**arguments, name: value}) != connector
    assert StdioConnector().handshake_timeout == 60
    assert not StdioConnector().reconnects
    assert not StdioConnector.guarantees.resumes
    assert not StdioConnector.guarantees.many_clients


@pytest.mark.parametrize(
    "arguments, error, text",
    [
        ({"command": ""}, ValueError, "begins with a program"),
        ({"command": []}, ValueError, "begins with a program"),
        ({"command": [""]}, ValueError, "begins with a program"),
        ({"command": "a 'b"}, ValueError, "cannot be split: No closing quotation"),
        ({"command": ["a\0"]}, ValueError, "without NUL"),
        ({"command": ["\ud800"]}, ValueError, "UTF-8"),
        ({"command": b"a"}, TypeError, "list of words"),
        ({"command": 7}, TypeError, "list of words"),
        ({"command": ["a", 7]}, TypeError, "PathLike"),
        ({"stop_timeout": -1}, ValueError, "stop_timeout"),
        ({"stop_timeout": float("nan")}, ValueError, "stop_timeout"),
        ({"on_stderr": 1}, TypeError, "cannot be called"),
        ({"authkey": b""}, ValueError, "authkey"),
    ],
)
def test_what_is_malformed(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        StdioConnector(**arguments)


async def test_who_needs_a_command_and_who_must_not_have_one() -> None:
    with pytest.raises(ValueError, match=r"a client needs StdioConnector\(command\)"):
        await SimpleClient(StdioConnector()).init()
    with pytest.raises(ValueError, match=r"in the child needs StdioConnector\(\)"):
        await SimpleServer(StdioConnector("cat"), str).init()
    waiting = await SimpleClient(StdioConnector()).init(wait=False)
    with pytest.raises((ValueError, Closed)):
        await waiting.request(1)
    await waiting.close()


async def test_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(FeatureNotAvailable, match="LocalConnector"):
        await StdioConnector("cat").connect(Recorder())
    with pytest.raises(FeatureNotAvailable, match="LocalConnector"):
        await StdioConnector().listen(lambda link: Recorder())


PROGRAM = (
    "import asyncio; from communica_like import SimpleServer, StdioConnector\n"
    "from communica_like.exceptions import LinkError\n"
    "async def main():\n"
    "    try: await SimpleServer(StdioConnector(), str).init()\n"
    "    except LinkError as exc: import sys; sys.exit('refused: ' + str(exc))\n"
    "asyncio.run(main())"
)


@pytest.mark.parametrize(
    "redirection, found",
    [
        ("</dev/null", "stdin is neither a pipe nor a socket"),
        ("<&-", "stdin is"),
        (">/dev/null", "stdout is neither a pipe nor a socket"),
        ("2>&1", "stdout and stderr are the same pipe"),
    ],
)
async def test_a_program_that_was_not_started_by_a_client(redirection: str, found: str) -> None:
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", f'exec "$0" -c "$1" {redirection}', sys.executable, PROGRAM,
        stdin=-1, stdout=-1, stderr=-1, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert f"refused: {found}" in (out + err).decode()
    assert process.returncode == 1


async def test_a_terminal() -> None:
    master, slave = os.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, stdin=slave, stdout=slave, stderr=-1,
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        _, err = await asyncio.wait_for(process.communicate(), PATIENCE)
        assert b"refused: stdin is a terminal; a client of StdioConnector(command) has to start" in err
        assert os.get_blocking(slave), "it is left as it was"
    finally:
        os.close(master)
        os.close(slave)


async def test_a_program_that_is_not_there() -> None:
    for connector in (StdioConnector("no-such-program"), StdioConnector("cat", cwd="/no/such/folder")):
        with pytest.raises(LinkError, match=r"cannot start .* No such file or directory"):
            await SimpleClient(connector).init()
