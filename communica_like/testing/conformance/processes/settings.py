"""Settings of the kit's programs, passed in an environment variable."""

from __future__ import annotations

import ast
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from ....wire.limits import Limits

VARIABLE: Final = "COMMUNICA_LIKE_CONFORMANCE"
"""The environment variable. The authkey in it is made for the check and protects nothing else."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a program of the kit runs.

    Attributes:
        folder: holds its journal, and the gate, a file whose creation releases handlers.
        authkey: its connector's.
        limits: its entity's.
        drain_timeout: its entity's, in seconds.
    """

    folder: str
    authkey: bytes | None
    limits: Limits
    drain_timeout: float

    @property
    def journal(self) -> Path:
        """The journal's path."""
        return Path(self.folder) / "journal"

    @property
    def gate(self) -> Path:
        """The path of the file that releases handlers of "held", "gate" and "block" once it exists."""
        return Path(self.folder) / "gate"

    @property
    def secrets(self) -> dict[str, Any]:
        """What the connector's URL leaves out."""
        return {} if self.authkey is None else {"authkey": self.authkey}

    def encode(self) -> str:
        """Return the settings as the value of the variable."""
        return repr(asdict(self))

    @classmethod
    def of_this_process(cls) -> Self:
        """Return the settings in this process's environment.

        Raises:
            LookupError: the variable is not set, because the program was not started by a check.
        """
        text = os.environ.get(VARIABLE)
        if text is None:
            raise LookupError(f"{VARIABLE} is not set: this program is started by a check")
        values = ast.literal_eval(text)
        return cls(**values | {"limits": Limits(**values["limits"])})
