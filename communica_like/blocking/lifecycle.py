"""Blocking objects that are started and stopped: while they live, they keep the portal."""

from __future__ import annotations

import contextlib
import threading
from abc import abstractmethod
from collections.abc import Iterator
from typing import Generic, TypeVar

from .facade import Adapted
from .handler_threads import Workers
from .portal.portal import Portal

__all__ = ["Lifecycle"]

CoreT = TypeVar("CoreT")


class Lifecycle(Adapted[CoreT], Generic[CoreT]):
    """Base of blocking objects that keep the portal from their start to their end, and threads with it.

    Args:
        core: the async object.
        workers: the threads that it uses.
        portal: whose loop it lives on; None: the one that all share.
    """

    def __init__(self, core: CoreT, workers: Workers, portal: Portal | None) -> None:
        super().__init__(core, portal)
        self._workers = workers
        self._staying = threading.Lock()
        self._stays = 0

    @abstractmethod
    def _lives(self) -> bool:
        """Return whether it needs the loop when no call is under way."""

    @abstractmethod
    def _lifeless(self) -> Exception:
        """Return what calls raise that come when it does not live."""

    def _enter(self) -> Portal:
        portal = self._portal
        if portal is None:  # no call starts a loop that nobody would stop
            raise self._lifeless()
        return portal

    @contextlib.contextmanager
    def _stay(self) -> Iterator[Portal]:
        """Use the portal; let go of it, and of the threads, if this does not live at the end.

        The threads that are here are counted: one that starts it anew is not left without a loop.
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
