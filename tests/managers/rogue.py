"""A program that knows no key, and wants to be taken for a manager's server.

``python -m tests.managers.rogue WAY FOLDER [--path PATH] [--uid UID]``

It listens, at a path or a port, and treats those who connect in one of these ways:

- reflect: it speaks multiprocessing's protocol. What one client asks it has another one answer.
- mirror: it speaks as a server of this library does, and answers with what the client itself has proved.
- let in: it says that all is well, and proves nothing.

Whoever believes it gets a pickle that makes a folder.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pickle
import queue
import secrets
import socket
import threading
from multiprocessing.connection import Connection
from typing import Any

from communica_like.managers import handshake

__all__: list[str] = []

PATIENCE = 20.0

questions: queue.Queue[tuple[bytes, queue.Queue[bytes]]] = queue.Queue()


class Bomb:
    """Whoever unpickles it makes a folder."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self._path,)


def reflect(connection: Connection[Any, Any]) -> bool:
    """Return whether the client believes it."""
    try:
        question, answers = questions.get(timeout=0.2)
    except queue.Empty:
        connection.send_bytes(b"#CHALLENGE#" + secrets.token_bytes(20))
        connection.recv_bytes()
        connection.send_bytes(b"#WELCOME#")
        answers = queue.Queue()
        questions.put((connection.recv_bytes(), answers))
        connection.send_bytes(answers.get(timeout=PATIENCE))
        return connection.recv_bytes() == b"#WELCOME#"
    connection.send_bytes(question)
    answers.put(connection.recv_bytes())
    return False


def mirror(connection: Connection[Any, Any]) -> bool:
    connection.send_bytes(handshake._FROM_SERVER + secrets.token_bytes(32))
    proof = connection.recv_bytes()
    connection.send_bytes(handshake._PROOF + proof[-32:])
    return True


def let_in(connection: Connection[Any, Any]) -> bool:
    connection.send_bytes(b"#CHALLENGE#" + secrets.token_bytes(20))
    connection.recv_bytes()
    connection.send_bytes(b"#WELCOME#")
    connection.recv_bytes()
    connection.send_bytes(b"{sha256}" + secrets.token_bytes(32))
    return True


def serve(sock: socket.socket, way: str, folder: str) -> None:
    with Connection(sock.detach()) as connection, contextlib.suppress(EOFError, OSError, queue.Empty):
        if {"reflect": reflect, "mirror": mirror, "let in": let_in}[way](connection):
            connection.send_bytes(pickle.dumps(("#RETURN", Bomb(f"{folder}/boom"))))
            connection.recv_bytes()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("way")
    parser.add_argument("folder")
    parser.add_argument("--path")
    parser.add_argument("--uid", type=int)
    arguments = parser.parse_args()
    if arguments.uid is not None:
        os.setuid(arguments.uid)
    if arguments.path is None:
        listening = socket.create_server(("127.0.0.1", 0))
        print(listening.getsockname()[1], flush=True)
    else:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(arguments.path)
        os.chmod(arguments.path, 0o666)
        listening.listen()
        print("serving", flush=True)
    while True:
        sock, _ = listening.accept()
        threading.Thread(target=serve, args=(sock, arguments.way, arguments.folder), daemon=True).start()


if __name__ == "__main__":
    main()
