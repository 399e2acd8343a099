"""Queues between processes, for asyncio: put, get, and nothing else on the way."""

from communica_like.abc import AsyncQueue, Guarantees
from communica_like.queues.fifo import PipeQueue
from communica_like.queues.memory import MemoryQueue
from communica_like.queues.posixmq import PosixMQ
from communica_like.queues.process import ProcessLines
from communica_like.queues.sysvmq import SysVMQ

__all__ = ["AsyncQueue", "Guarantees", "MemoryQueue", "PipeQueue", "PosixMQ", "ProcessLines", "SysVMQ"]
