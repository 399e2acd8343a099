"""Workers: the executor of handlers, which may be shut down and used again."""

from __future__ import annotations

import threading

import pytest

from communica_like.blocking.handler_threads import Workers
from tests.blocking.media import PATIENCE


def test_shutdown_cancels_jobs_that_have_not_started_and_lets_the_others_end() -> None:
    workers = Workers(1)
    begun, end = threading.Event(), threading.Event()

    def job() -> str:
        begun.set()
        assert end.wait(PATIENCE)
        return "done"

    running, waiting = workers.submit(job), workers.submit(int)
    assert begun.wait(PATIENCE)
    workers.shutdown(wait=False, cancel_futures=True)
    assert waiting.cancelled()
    end.set()
    assert running.result(PATIENCE) == "done"


def test_shutdown_waits_for_all_jobs() -> None:
    workers = Workers(2)
    jobs = [workers.submit(int, str(number)) for number in range(10)]
    workers.shutdown()
    assert [job.result(0) for job in jobs] == list(range(10))


def test_jobs_from_before_a_shutdown_do_not_count_afterwards() -> None:
    workers = Workers(2)
    end = threading.Event()
    old = [workers.submit(end.wait, PATIENCE) for _ in range(2)]
    workers.shutdown(wait=False)
    end.set()
    assert all(job.result(PATIENCE) for job in old)
    meeting = threading.Barrier(2)  # two jobs run at a time
    new = [workers.submit(meeting.wait, PATIENCE) for _ in range(2)]
    assert sorted(job.result(PATIENCE) for job in new) == [0, 1]
    workers.shutdown()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_would_end_the_event_loop_becomes_a_runtime_error(kind: type[BaseException]) -> None:
    def job() -> None:
        raise kind

    workers = Workers(1)
    future = workers.submit(job)
    error = future.exception(PATIENCE)
    assert isinstance(error, RuntimeError)
    assert isinstance(error.__cause__, kind)
    assert workers.submit(int).result(PATIENCE) == 0, "the thread goes on"
    workers.shutdown()


def test_at_least_one_thread() -> None:
    with pytest.raises(ValueError, match="at least one thread, not 0"):
        Workers(0)
