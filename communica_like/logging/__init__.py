"""Log records of many processes in one place: a handler that throws them, a server that logs them again."""

from .handler import ThrowHandler
from .server import BlockingLogServer, LogServer

__all__ = ["BlockingLogServer", "LogServer", "ThrowHandler"]
