"""The handlers of an entity and how they are run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .handlers import Handler
from .responses import Missing
from .tasks import EagerTaskPool

__all__ = ["HandlerSet"]


class HandlerSet(NamedTuple):
    """The handlers of one life of an entity.

    Attributes:
        by_route: by encoded route; Simple entities have one, without a name.
        missing: returns what to tell a requester whose route has no handler.
        pool: lends tasks to handlers that suspend.
    """

    by_route: Mapping[bytes, Handler]
    missing: Missing
    pool: EagerTaskPool
