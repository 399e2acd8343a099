"""The adaptor: makes blocking methods of async ones, with their signatures and docstrings."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Concatenate, Generic, Never, NoReturn, ParamSpec, TypeVar

from ..arguments import check_kind
from ..system import fork
from .portal.interrupts import uninterrupted
from .portal.portal import Portal, shared_portal

P = ParamSpec("P")
T = TypeVar("T")
CoreT = TypeVar("CoreT")


class Adapted(Generic[CoreT]):
    """A blocking object around an async one, which lives on a portal's loop.

    Args:
        core: the async object.
        portal: its event loop runs the async object; None uses the shared one.

    It enters the portal at the first call that needs it, and leaves it in ``_leave``.
    """

    _interruptible: ClassVar[bool] = False
    """Whether a waiting call ends with InterruptedError after a signal: see Portal.run_made."""

    def __init__(self, core: CoreT, portal: Portal | None) -> None:
        check_kind(portal, Portal | None, "portal is a Portal or None", "portal=Portal()")
        self._core = core
        self._given_portal = portal
        self._entering = threading.Lock()
        self._portal: Portal | None = None
        self._user: object = None
        fork.reset_in_child(self, lambda adapted: adapted._forked())

    def _enter(self) -> Portal:
        """Enter the portal, if this has not, and return it."""
        portal = self._portal
        return uninterrupted(self._enter_first) if portal is None else portal

    def _enter_first(self) -> Portal:
        with self._entering:
            portal = self._portal
            if portal is None:
                portal = self._given_portal or shared_portal()
                self._user = portal.enter(self._farewell)
                self._portal = portal
        return portal

    def _leave(self) -> None:
        """Leave the portal, if this has entered it."""
        with self._entering:
            portal, self._portal = self._portal, None
        if portal is not None:
            portal.leave(self._user)

    def _farewell(self) -> None:
        """The interpreter exits while this is open: close it."""

    def _forked(self) -> None:
        """This process is a fork of the one that made this, without its other threads.

        Calls that need the portal raise RuntimeError, if the parent had entered it.
        """
        self._entering = threading.Lock()

    def _reclaim(self, result: Any) -> None:
        """Take back the result of a call whose caller was interrupted: see Portal.run."""


def awaited(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Any, P], T]:
    """Return the blocking twin of an async method."""
    name = method.__name__

    @functools.wraps(method)
    def wait(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        portal: Portal = self._enter()
        make = functools.partial(getattr(self._core, name), *args, **kwargs)
        result: T = portal.run_made(make, self._reclaim)
        return result

    return wait


def called(method: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
    """Return the twin of a plain method, which runs on the loop's thread once the portal is entered."""
    name = method.__name__

    @functools.wraps(method)
    def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        function = functools.partial(getattr(self._core, name), *args, **kwargs)
        portal = self._portal
        result: T = function() if portal is None else portal.call(function)
        return result

    return call


class Attribute(Generic[T]):
    """A read-only twin of an attribute of the async class, read on the calling thread.

    Args:
        of: the property, or the docstring of a plain attribute.
    """

    def __init__(self, of: Callable[[Any], T] | str) -> None:
        self.__doc__ = of if isinstance(of, str) else of.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> T:
        if instance is None:
            return self  # type: ignore[return-value]
        value: T = getattr(instance._core, self._name)
        return value

    def __set__(self, instance: Any, value: Never) -> NoReturn:
        raise AttributeError(f"{self._name} of {type(instance).__name__} objects is read-only")
