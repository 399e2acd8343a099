"""Queues in a manager, without an event loop: this process holds them, and others take jobs from them."""

import queue
from multiprocessing import get_context

from communica_like.blocking.manager import Address, AuthKey, QueueManagerClient, QueueManagerServer

WORKERS = 2


def work(address: str) -> None:
    with QueueManagerClient(address, AuthKey.AUTO) as client:
        jobs, done = client.get_queue("jobs"), client.get_queue("done")
        while True:
            job = jobs.get()
            done.put((job, job * job))
            jobs.task_done()


def main() -> None:
    # AuthKey.AUTO is the key that multiprocessing passes to child processes.
    with QueueManagerServer(Address.AUTO, AuthKey.AUTO) as server:
        jobs, done = server.get_queue("jobs", max_items=3), server.get_queue("done")
        workers = [
            get_context("spawn").Process(target=work, args=(server.address,)) for _ in range(WORKERS)
        ]
        for worker in workers:
            worker.start()
        for number in range(10):
            jobs.put(number)  # waits while the queue holds three items
        jobs.join()  # waits for ten calls of task_done()
        print(f"squares: {sorted(done.get()[1] for _ in range(10))}")
        try:
            jobs.get(timeout=0.05)
        except queue.Empty:
            print("nothing is left to do")
        for worker in workers:
            worker.terminate()  # a process that is killed in get() loses no item
            worker.join()
        jobs.put("still works")
        print(jobs.get())


if __name__ == "__main__":
    main()
