"""Runs a program as sshd does: over a socket instead of pipes, and after a message of the day.

``python -m tests.connectors.stdio.remote_program PROGRAM ARGUMENT ...``
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading


def pump(source: int, target: int) -> None:
    while data := os.read(source, 65_536):
        view = memoryview(data)
        while view:
            view = view[os.write(target, view) :]


def main() -> int:
    os.write(1, b"Welcome to this machine!\n")
    near, far = socket.socketpair()
    process: subprocess.Popen[bytes] = subprocess.Popen(sys.argv[1:], stdin=far.fileno(), stdout=far.fileno())
    far.close()

    def send() -> None:
        pump(0, near.fileno())
        near.shutdown(socket.SHUT_WR)

    threading.Thread(target=send, daemon=True).start()
    pump(near.fileno(), 1)
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
