"""Queues in a process of yours, as ipcq has them: a server, clients, and queues that all of them share."""

from .address import Address, AuthKey
from .client import QueueManagerClient
from .queue import ManagerQueue
from .server import QueueManagerServer

__all__ = ["Address", "AuthKey", "ManagerQueue", "QueueManagerClient", "QueueManagerServer"]
