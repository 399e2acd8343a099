"""A RabbitMQ broker of a test's own, which may be killed; and the one that is there for all tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest

from tests.ports import free_port

__all__ = ["SHARED", "PrivateBroker", "needs_broker", "needs_private_broker"]

SHARED: Final = ("127.0.0.1", 5672)
"""Where the broker is that all tests share."""

# noxfile.py says so where there must be one: then tests that need it must not be skipped.
REQUIRED: Final = os.environ.get("COMMUNICA_LIKE_BROKER") == "required"

_SCRIPTS: Final = Path("/usr/lib/rabbitmq/bin")  # those on PATH want to be another user
_PATIENCE: Final = 40.0


def _answers(address: tuple[str, int]) -> bool:
    """Whether a broker speaks AMQP there."""
    try:
        with socket.create_connection(address, 2) as sock:
            sock.sendall(b"AMQP\x00\x00\x09\x01")
            return sock.recv(1) == b"\x01"
    except OSError:
        return False


_answered: bool | None = None


def needs_broker() -> None:
    """Skip the test that calls this unless a broker answers; fail, if there must be one."""
    global _answered
    if not _answered:
        _answered = _answers(SHARED)
    _skip_unless(_answered, "no RabbitMQ broker answers on {}:{}".format(*SHARED))


def needs_private_broker() -> None:
    """Skip the test that calls this unless a broker can be started; fail, if it must be possible."""
    found = (_SCRIPTS / "rabbitmq-server").exists() and shutil.which("epmd") is not None
    _skip_unless(found, "RabbitMQ is not installed")


def _skip_unless(condition: bool, reason: str) -> None:
    if not condition and REQUIRED:
        pytest.fail(f"{reason}, and COMMUNICA_LIKE_BROKER says that it must")
    if not condition:
        pytest.skip(reason)


class PrivateBroker:
    """A broker with a name, ports and a directory of its own, from ``with`` to its end.

    Args:
        beside: another one, which lives longer: this one joins its cluster.

    Attributes:
        url: as guest.
        port: where it listens, also after a restart.
    """

    def __init__(self, beside: PrivateBroker | None = None) -> None:
        self.port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/"
        self._beside = beside
        self._epmd: int = beside._epmd if beside is not None else free_port()
        self._name = f"cl{os.getpid()}x{self.port}@localhost"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="cl-rmq-"))
        (self._folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{self.port}\ndisk_free_limit.absolute = 1MB\n"
        )
        (self._folder / "plugins").write_text("[].")
        try:
            if self._beside is not None:
                shutil.copy2(self._beside._folder / ".erlang.cookie", self._folder)
            self.start()
            if self._beside is not None:
                self.ctl("stop_app")
                self.ctl("join_cluster", self._beside._name)
                self.ctl("start_app")
        except BaseException:
            self._clear()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                [_SCRIPTS / "rabbitmq-server"],
                env=self._environment(),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        deadline = time.monotonic() + _PATIENCE
        while not _answers(("127.0.0.1", self.port)):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the broker does not start: {(self._folder / 'out').read_text()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """Let it end in an orderly way."""
        self._signal(signal.SIGTERM)

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl; return what it printed."""
        return self._run("rabbitmqctl", *arguments, seconds=_PATIENCE)

    def until_dispensable(self) -> None:
        """Wait until each quorum queue here has a majority without this node.

        A node that has just started answers before its members of the queues do.
        """
        self._run("rabbitmq-upgrade", "await_online_quorum_plus_one", "--timeout=90", seconds=120.0)

    def ours(self) -> list[str]:
        """Return the names of all queues and exchanges that are not the broker's."""
        queues = self.ctl("list_queues", "name", "--no-table-headers").split()
        exchanges = self.ctl("list_exchanges", "name", "--no-table-headers").split()
        return queues + [name for name in exchanges if not name.startswith("amq.")]

    # --

    def _run(self, script: str, *arguments: str, seconds: float) -> str:
        command = [str(_SCRIPTS / script), "--quiet", *arguments]
        done = subprocess.run(
            command, env=self._environment(), capture_output=True, text=True, timeout=seconds, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _environment(self) -> dict[str, str]:
        folder = str(self._folder)
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": folder,
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/none",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }

    def _signal(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # The scripts around it are of its own process group, as all that it starts.
        with contextlib.suppress(ProcessLookupError):  # it did not even start
            os.killpg(process.pid, number)
        process.wait(_PATIENCE)
        deadline = time.monotonic() + _PATIENCE
        while _answers(("127.0.0.1", self.port)):
            assert time.monotonic() < deadline, "the broker does not end"
            time.sleep(0.02)

    def _clear(self) -> None:
        self.kill()
        if self._beside is None:
            stop = ["epmd", "-port", str(self._epmd), "-kill"]
            subprocess.run(stop, env=self._environment(), capture_output=True, check=False)
        shutil.rmtree(self._folder, ignore_errors=True)
