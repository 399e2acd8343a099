"""The child of tests of StdioConnector: ``python -m tests.connectors.stdio.worker_program OPTION ...``.

Requests and throws are lists: what to do, and with what.
"""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import Any

from communica_like import SimpleServer, StdioConnector
from communica_like.exceptions import AddressInUse
from tests.connectors.recorder import Recorder

OPTIONS = sys.argv[1:]


def hold(escapes: bool) -> int:
    """Start a grandchild that has our standard files open, and return its pid."""
    return subprocess.Popen(["sleep", "100"], start_new_session=escapes).pid


class Worker:
    """Does as it is told."""

    def __init__(self, stop_timeout: float, authkey: bytes | None) -> None:
        self.server = SimpleServer(StdioConnector(stop_timeout=stop_timeout, authkey=authkey), self.handle)
        self.count = 0

    async def handle(self, order: list[Any]) -> Any:
        name, *arguments = order
        result = getattr(self, name)(*arguments)
        return await result if asyncio.iscoroutine(result) else result

    def echo(self, data: Any) -> Any:
        return data

    def size(self, data: str) -> int:
        return len(data)

    def big(self, size: int) -> str:
        return "y" * size

    def pid(self) -> int:
        return os.getpid()

    def client(self) -> list[Any]:
        [info] = self.server.clients
        assert info.peer is not None
        return [info.peer.transport, info.peer.pid, os.getppid()]

    def shout(self) -> None:
        """Write to stdout in all ways."""
        print("by print", flush=True)
        os.write(1, b"by write\n")
        subprocess.run(["echo", "by a grandchild"], check=True)

    def ask_user(self) -> str:
        try:
            return input()
        except EOFError:
            return "end of file"

    def files(self) -> list[Any]:
        """Say what the standard files are, and which descriptors programs inherit."""
        same = os.path.samestat(os.fstat(1), os.fstat(2))
        inherited = [fd for fd in map(int, os.listdir("/proc/self/fd")) if is_inherited(fd)]
        return [os.readlink("/proc/self/fd/0"), same, inherited]

    async def listen_again(self) -> str:
        try:
            await StdioConnector().listen(lambda link: Recorder())
        except AddressInUse as exc:
            return str(exc)
        return ""

    def say(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()

    def exit(self, code: int) -> None:
        os._exit(code)

    def kill(self, number: int) -> None:
        os.kill(os.getpid(), number)

    def stop(self) -> None:
        self.server.stop()

    def sleep(self, seconds: float) -> None:
        """Hold up the event loop."""
        time.sleep(seconds)

    async def wait(self) -> None:
        await asyncio.Event().wait()

    def deaf(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def leave_group(self) -> None:
        os.setsid()

    def hold(self, escapes: bool) -> int:
        return hold(escapes)

    def fork(self) -> str:
        """Use multiprocessing, whose child must not hold the pipes."""
        reading, writing = multiprocessing.get_context("fork").Pipe(duplex=False)
        pid = os.fork()
        if pid == 0:
            writing.send(os.getpid())
            time.sleep(100)
            os._exit(0)
        assert reading.recv() == pid
        return str(pid)

    async def call_back(self, data: Any) -> Any:
        return await self.server.request(data)

    def add(self, _: int) -> None:
        self.count += 1


def is_inherited(descriptor: int) -> bool:
    try:
        return os.get_inheritable(descriptor)
    except OSError as exc:
        if exc.errno != errno.EBADF:
            raise
        return False


def main() -> None:
    authkey = None
    for option in OPTIONS:
        if option == "banner":
            print("a banner by print")
            os.write(1, b"a banner by write\n")
            subprocess.run(["echo", "a banner by a grandchild"], check=True)
        elif option == "crash":
            raise RuntimeError("cannot import it")
        elif option == "hold":
            sys.stderr.write(f"holder {hold(False)}\n")
        elif option == "hold-out":
            sys.stderr.write(f"holder {hold(True)}\n")
        elif option == "key":
            authkey = b"key"
    sys.stderr.flush()
    worker = Worker(0.2 if "impatient" in OPTIONS else 5.0, authkey)
    asyncio.run(worker.server.run())
    if "STDIO_WORKER_ENDED" in os.environ:
        pathlib.Path(os.environ["STDIO_WORKER_ENDED"]).touch()
    sys.stderr.write(f"handled {worker.count}\n")


if __name__ == "__main__":
    main()
