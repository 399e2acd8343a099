"""Blocking objects with a start and an end: they keep the portal in between."""

from __future__ import annotations

import contextlib
import threading
from abc import abstractmethod
from collections.abc import Iterator
from typing import Generic, TypeVar

from .facade import Adapted
from .handler_threads import Workers
from .portal.portal import Portal

CoreT = TypeVar("CoreT")


class Lifecycle(Adapted[CoreT], Generic[CoreT]):
    """Base of blocking objects that keep the portal, and threads, from their start to their end.

    Args:
        core, portal: as for Adapted.
        workers: the threads of its handlers.
    """

    def __init__(self, core: CoreT, workers: Workers, portal: Portal | None) -> None:
        super().__init__(core, portal)
        self._workers = workers
        self._staying = threading.Lock()
        self._stays = 0

    def __repr__(self) -> str:
        return f"<blocking {self._core!r}>"

    @abstractmethod
    def _lives(self) -> bool:
        """Return whether the object needs the loop between calls."""

    @abstractmethod
    def _lifeless(self) -> Exception:
        """Return what a call raises while the object is not running."""

    def _enter(self) -> Portal:
        portal = self._portal
        if portal is None:  # a call must not start a loop that is never stopped
            raise self._lifeless()
        return portal

    @contextlib.contextmanager
    def _stay(self) -> Iterator[Portal]:
        """Hold the portal; release it and the threads at the end, if the object has stopped.

        Counts its callers, so that one that starts the object again is not left without a loop.
        """
        if self._portal is not None:
            self._portal.check_caller()
        with self._staying:
            self._stays += 1
        try:
            yield super()._enter()
        finally:
            with self._staying:
                self._stays -= 1
                if self._stays == 0 and not self._lives():
                    self._workers.shutdown(wait=False, cancel_futures=True)
                    self._leave()
