"""The journal of a check: lines in a file, which survive the programs that write them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class JournalWriter:
    """Appends to a journal. Several processes may do so at once; each entry is written whole.

    Args:
        path: the file, which is created if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, event: str, value: Any) -> None:
        """Append an entry: an event and a value that JSON takes."""
        os.write(self._file, json.dumps([event, value]).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class JournalReader:
    """Reads a growing journal.

    Args:
        path: the file, which need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._entries: dict[str, list[Any]] = {}

    def all(self, event: str) -> list[Any]:
        """Return the values of all entries of *event* so far, in order."""
        try:
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                new = file.read()
        except FileNotFoundError:
            return []
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            name, value = json.loads(line)
            self._entries.setdefault(name, []).append(value)
        return self._entries.get(event, [])
