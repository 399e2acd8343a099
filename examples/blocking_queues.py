"""Queues without an event loop: kernel queues with priorities or message types, and a named pipe."""

import os
import queue
import subprocess
import sys
import tempfile

from communica_like.blocking import posixmq, sysvmq
from communica_like.blocking.pipes import SimplePipeQueue


def work(name: str) -> None:
    jobs = posixmq.Queue(name)
    while (job := jobs.get()) is not None:
        print(f"worker: {job}", flush=True)
    jobs.close()


def share_jobs() -> None:
    jobs = posixmq.Queue(f"/jobs-{os.getpid()}")
    try:
        jobs.put("a job")
        jobs.put("an urgent job", priority=9)
        worker = subprocess.Popen([sys.executable, __file__, jobs.name])
        jobs.put("one more, when there is room", timeout=10)
        jobs.put(None)
        print(f"exit code: {worker.wait()}; left: {jobs.qsize()}")
    finally:
        jobs.close()
        jobs.unlink()


def choose_by_type() -> None:
    with sysvmq.Queue(0) as post:  # 0: a private queue, removed when it is closed
        post.put("an invoice", msg_type=2)
        post.put("an order", msg_type=1)
        print(f"of type 1: {post.get(msg_type=1)}")
        try:
            post.get(msg_type=1, timeout=0.05)
        except queue.Empty:
            print(f"no more of type 1; {post.qsize()} of others")


def leave_a_line(folder: str) -> None:
    with SimplePipeQueue(f"{folder}/pq.fifo", history=False) as pq:
        pq.put_nowait((0, "First message."))
        print(f"from the pipe: {pq.get()}")


def main() -> None:
    share_jobs()
    choose_by_type()
    with tempfile.TemporaryDirectory() as folder:
        leave_a_line(folder)
        print(f"left in the folder: {os.listdir(folder)}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(sys.argv[1])
    else:
        main()
