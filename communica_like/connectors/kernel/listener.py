"""A server's side of the rendezvous: whoever knocks is let in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
from collections.abc import Callable
from typing import Any, Final

from ...abc import AsyncQueue, Link, LinkReceiver, Listener
from ...exceptions import AddressInUse, CommunicaError, LinkError
from ...system import AddressLock, Registration, reap, reap_in_passing, register, register_reused
from .rendezvous import ConnectRequest, Rendezvous, StartedLink

__all__ = ["listen_at_rendezvous"]

logger = logging.getLogger("communica_like")

_PAUSE: Final = 1.0  # seconds after the doorbell failed
_ROUND: Final = 1.0  # seconds, after which the server looks whether clients can find it
_BREATH: Final = 0.01  # seconds, for a server that was killed to be dead
_BREATHS: Final = 20


async def listen_at_rendezvous(
    rendezvous: Rendezvous[Any], accept: Callable[[Link], LinkReceiver]
) -> Listener:
    """Serve an address, as Connector.listen does.

    Raises:
        AddressInUse: a live server serves it, or there is something else of the doorbell's name.
        QueueLimitReached: there is no room for a doorbell.
        LinkError: any other failure.
    """
    try:
        with contextlib.ExitStack() as undo:
            claim = AddressLock(rendezvous.address)
            undo.callback(claim.release)
            await _remove_what_was_left(rendezvous)
            entry = register_reused(rendezvous.kind, rendezvous.name)
            undo.callback(entry.remove)
            made = rendezvous.create()
            undo.callback(made.close)
            undo.callback(rendezvous.remove)
            claim.announce()
            undo.pop_all()
    except FileExistsError as exc:
        text = f"{rendezvous.name} exists, but no server of {rendezvous.address} made it: remove it"
        raise AddressInUse(text) from exc
    except OSError as exc:
        if isinstance(exc, CommunicaError):
            raise
        raise LinkError(f"cannot serve {rendezvous.address}: {exc}") from exc
    return RendezvousListener(rendezvous, accept, claim, entry, made)


async def _remove_what_was_left(rendezvous: Rendezvous[Any]) -> None:
    """Remove what the server before left, whose claim this was; raise FileExistsError if it is not his."""
    for _ in range(_BREATHS):
        reap()
        if not rendezvous.exists():
            return
        # Who is killed loses its locks some moments before it is dead.
        await asyncio.sleep(_BREATH)
    raise FileExistsError(rendezvous.name)


class RendezvousListener(Listener):
    def __init__(
        self,
        rendezvous: Rendezvous[Any],
        accept: Callable[[Link], LinkReceiver],
        claim: AddressLock,
        entry: Registration,
        made: AsyncQueue,
    ) -> None:
        self.address = rendezvous.address
        self._rendezvous = rendezvous
        self._accept = accept
        self._claim = claim
        self._entry = entry
        self._knocks = made
        self._closed = False
        self._waiting = asyncio.get_running_loop().create_task(
            self._wait_for_requests(), name=f"communica_like door {rendezvous.address}"
        )

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._waiting.cancel()
        try:
            await asyncio.wait([self._waiting])
        finally:
            self._end()

    def _end(self) -> None:
        self._claim.release()
        # Whoever knocked before that learns of the end at once; whoever did so later sees that nobody serves.
        with contextlib.suppress(queue.Empty, CommunicaError, OSError):
            for _ in range(self._knocks.qsize()):
                self._open(self._knocks.get_nowait())
        try:
            try:
                self._rendezvous.remove()
            finally:
                self._knocks.close()
        except OSError as exc:
            logger.error("the doorbell of %s stays until this process has ended: %s", self.address, exc)
        else:
            self._entry.remove()

    async def _wait_for_requests(self) -> None:
        while True:
            try:
                with contextlib.suppress(queue.Empty):
                    self._open(await self._knocks.get(timeout=_ROUND))
                if not self._claim.kept:
                    self._serve_again()
                await asyncio.sleep(0)  # whoever knocks all the time does not keep the others waiting
            except Exception as exc:
                logger.error("the doorbell of %s failed: %s", self.address, exc or repr(exc))
                await asyncio.sleep(_PAUSE)
                self._make_another()

    def _serve_again(self) -> None:
        """Somebody removed the directory in which it is written who serves, and what is owned."""
        self._claim.renew()
        self._entry = register(self._rendezvous.kind, self._rendezvous.name)
        logger.warning("the claim of %s was removed, and is there again", self.address)

    def _make_another(self) -> None:
        try:
            made = self._rendezvous.create()
        except (OSError, CommunicaError):
            return  # it is still there; or not for now
        self._knocks.close()
        self._knocks = made

    def _open(self, data: bytes) -> None:
        try:
            link = self._answer(ConnectRequest.decode(data))
        except ValueError as exc:
            logger.warning("something in the doorbell of %s was ignored: %s", self.address, exc)
        except (OSError, LinkError) as exc:
            logger.info("a client of %s was not let in: %s", self.address, exc)
        else:
            if link is not None:
                link.receiver = self._accept(link)
                link.start()

    def _answer(self, request: ConnectRequest) -> StartedLink | None:
        """Return the server's end of a link to whoever knocked, or None if that process is gone."""
        if not request.process.alive:
            reap_in_passing()
            return None
        pair = self._rendezvous.open_pair(*request.endpoints)
        try:
            return self._rendezvous.link(request.process, pair)
        except BaseException:
            pair.remove()
            raise
