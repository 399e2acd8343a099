"""blocking.pipes: what the documentation of the classic interface says, sentence by sentence."""

from __future__ import annotations

import asyncio
import math
import os
import queue
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from communica_like.blocking.pipes import PipeQueue, SimplePipeQueue
from communica_like.exceptions import Closed, MessageTooBig, SerializerError
from communica_like.serializers import JsonSerializer, LiteralSerializer
from tests.blocking.media import PATIENCE, program, until
from tests.interop.items import LITERALS


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "pq.fifo")


def test_the_first_example_of_the_documentation(path: str) -> None:
    pq = SimplePipeQueue.pipequeue(path)
    pq.put_nowait((0, "First message."))
    pq.close()
    assert stat.S_ISFIFO(os.stat(path).st_mode)


def test_the_second_example_of_the_documentation(path: str) -> None:
    writer = SimplePipeQueue.pipequeue(path)
    writer.put_nowait((0, "First message."))
    with SimplePipeQueue(path) as pq:
        msg = pq.get()
    assert msg == (0, "First message.")
    writer.close()


async def test_the_third_example_of_the_documentation(path: str) -> None:
    reader = SimplePipeQueue.pipequeue(path)
    pq = PipeQueue.pipequeue(path)
    await pq.put((0, "First message."))
    pq.close()
    assert reader.get() == (0, "First message.")
    reader.close()


async def test_the_fourth_example_of_the_documentation(path: str) -> None:
    pq = PipeQueue.pipequeue(path)
    pq.put_nowait((0, "First message."))
    msg = await pq.get()
    pq.close()
    assert msg == (0, "First message.")


def test_both_ends_have_the_names_that_subclasses_know(path: str) -> None:
    with SimplePipeQueue(path) as pq:
        os.write(pq._in, b"'item'\n")
        assert os.read(pq._out, 100) == b"'item'\n"


def test_all_structures_that_are_named(path: str) -> None:
    with SimplePipeQueue(path) as pq:
        for item in LITERALS:
            pq.put_nowait(item)
            got = pq.get()
            assert got == item
            assert type(got) is type(item)


def test_several_items_wait_in_the_pipe(path: str) -> None:
    with SimplePipeQueue(path) as pq, SimplePipeQueue(path) as other:
        for item in LITERALS:
            pq.put_nowait(item)
        assert other.qsize() == len(LITERALS)
        assert [other.get() for _ in LITERALS] == LITERALS
        with pytest.raises(queue.Empty):
            other.get_nowait()


def test_between_processes(tmp_path: Path) -> None:
    there, back = f"pipe:{tmp_path}/there", f"pipe:{tmp_path}/back"
    with SimplePipeQueue(tmp_path / "there") as pq, SimplePipeQueue(tmp_path / "back") as answers:
        with program("echo", there, back) as child:
            for item in (1, "two\nlines", [3, {"four": b"5"}], {6, 7}):
                pq.put_nowait(item)
                assert answers.get(timeout=PATIENCE) == item
            pq.put_nowait(None)
            assert child.line() == "ended"
            assert child.end() == 0


def test_get_blocks_until_there_is_an_item(path: str) -> None:
    got: list[Any] = []
    with SimplePipeQueue(path) as pq:
        waiting = threading.Thread(target=lambda: got.append(pq.get()))
        waiting.start()
        until(lambda: pq._parked, "it waits")
        pq.put_nowait("item")
        waiting.join(PATIENCE)
        assert got == ["item"]
        with pytest.raises(queue.Empty):
            pq.get(timeout=0.01)


@pytest.mark.parametrize("kind", [SimplePipeQueue, PipeQueue])
@pytest.mark.parametrize("end", ["close", "with"])
def test_history(path: str, kind: type[SimplePipeQueue], end: str) -> None:
    def use(history: bool) -> None:
        if end == "with":
            with kind(path, history=history):
                assert os.path.exists(path)
        else:
            pq = kind.pipequeue(path, history)
            assert (pq.path, pq.history) == (path, history)
            pq.close()
            pq.close()

    use(False)
    assert not os.path.exists(path)
    use(True)
    assert os.path.exists(path)
    use(True)
    with pytest.raises(FileExistsError):
        use(False)


def test_a_reader_that_comes_after_the_writer_closed_finds_nothing(path: str) -> None:
    with SimplePipeQueue(path) as pq:
        pq.put_nowait("lost")
    with SimplePipeQueue(path) as pq, pytest.raises(queue.Empty):
        pq.get_nowait()


def test_a_reader_that_comes_after_the_writer_closed_finds_all_if_it_is_open_elsewhere(path: str) -> None:
    with SimplePipeQueue(path):
        with SimplePipeQueue(path) as writer:
            writer.put_nowait("kept")
        with SimplePipeQueue(path) as reader:
            assert reader.get_nowait() == "kept"


def test_an_item_that_is_too_large(path: str) -> None:
    with SimplePipeQueue(path) as pq:
        largest = "x" * (4095 - 2)
        pq.put_nowait(largest)
        assert pq.get() == largest
        for put in (pq.put_nowait, pq.put):
            with pytest.raises(MessageTooBig, match="4095"):
                put(largest + "x")
        assert pq.qsize() == 0


def test_a_full_pipe(path: str) -> None:
    with SimplePipeQueue(path) as pq:
        count = 0
        with pytest.raises(queue.Full):
            while True:
                pq.put_nowait((count, "x" * 4000))
                count += 1
        with pytest.raises(queue.Full):
            pq.put((count, "x" * 4000), timeout=0.01)
        waiting = threading.Thread(target=lambda: pq.put((count, "x" * 4000), timeout=PATIENCE))
        waiting.start()
        until(lambda: pq._portal is not None and len(pq._core._putters), "it waits")
        assert [pq.get(timeout=PATIENCE)[0] for _ in range(count + 1)] == list(range(count + 1))
        waiting.join()


def test_what_is_no_literal(path: str) -> None:
    with SimplePipeQueue(path) as pq:
        for item in (object(), math.nan, {1: print}):
            with pytest.raises(SerializerError, match="cannot be dumped"):
                pq.put_nowait(item)
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        os.write(descriptor, b"print('run')\n[1, 2]\n")
        os.close(descriptor)
        with pytest.raises(SerializerError, match="cannot be loaded"):
            pq.get()
        assert pq.get() == [1, 2]


def test_lines_in_parts(path: str) -> None:
    with SimplePipeQueue(path) as pq:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        os.write(descriptor, b"'from a")
        with pytest.raises(queue.Empty):
            pq.get_nowait()
        os.write(descriptor, b" shell'\n2\n")
        os.close(descriptor)
        assert pq.get() == "from a shell"
        assert pq.get() == 2


@pytest.mark.parametrize("opened", [False, True])
def test_before_and_after_it_is_open(path: str, opened: bool) -> None:
    pq = SimplePipeQueue(path)
    if opened:
        with pq:
            pass
    uses: list[Callable[[], Any]] = [pq.get, pq.get_nowait, pq.qsize]
    uses += [lambda: pq.put_nowait(1), lambda: pq.put(1)]
    for use in uses:
        with pytest.raises(Closed):
            use()
    pq.close()
    with pq:  # once more
        pq.put_nowait(1)
        assert pq.get() == 1
    assert pq.closed


def test_close_while_another_waits(path: str) -> None:
    errors: list[Exception] = []

    def wait() -> None:
        try:
            pq.get()
        except Closed as exc:
            errors.append(exc)

    pq = SimplePipeQueue.pipequeue(path)
    waiting = threading.Thread(target=wait)
    waiting.start()
    until(lambda: pq._parked and pq._portal is not None, "it waits")
    pq.close()
    waiting.join(PATIENCE)
    assert len(errors) == 1
    assert pq._portal is None


def test_other_serializers_and_modes(path: str) -> None:
    with SimplePipeQueue(path, serializer=JsonSerializer(), mode=0o640) as pq:
        assert stat.S_IMODE(os.stat(path).st_mode) & ~0o040 == 0o600
        pq.put_nowait({"a": None})
        assert pq.get() == {"a": None}
        with pytest.raises(SerializerError):
            pq.put_nowait({1, 2})
    assert repr(pq) == f"<SimplePipeQueue {path}>"


def test_many_threads(path: str) -> None:
    got: list[int] = []
    with SimplePipeQueue(path) as pq:

        def read() -> None:
            while (item := pq.get(timeout=PATIENCE)) is not None:
                got.append(item)

        def write(first: int) -> None:
            for number in range(first, first + 100):
                pq.put(number)

        readers = [threading.Thread(target=read) for _ in range(4)]
        writers = [threading.Thread(target=write, args=(first,)) for first in range(0, 400, 100)]
        for thread in readers + writers:
            thread.start()
        for thread in writers:
            thread.join()
        for _ in readers:
            pq.put(None)
        for thread in readers:
            thread.join()
    assert sorted(got) == list(range(400))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("history", [True, False])
def test_a_forked_process_goes_on_with_the_pipe(path: str, history: bool) -> None:
    with SimplePipeQueue(path, history) as pq:
        with pytest.raises(queue.Empty):
            pq.get(timeout=0.001)  # now its portal runs
        pq.put_nowait("for the child")
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                assert pq.get() == "for the child"
                with pytest.raises(queue.Empty):
                    pq.get(timeout=0.01)
                pq.put("from the child")
                pq.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert os.path.exists(path)
        assert pq.get(timeout=PATIENCE) == "from the child"


# ------------------------------------------------------------------------------------------------ asyncio


def test_the_one_for_asyncio_is_a_subclass() -> None:
    assert issubclass(PipeQueue, SimplePipeQueue)


async def test_get_waits_on_the_callers_loop(path: str) -> None:
    with PipeQueue(path) as pq:
        waiting = asyncio.create_task(pq.get())
        await asyncio.sleep(0)
        assert not waiting.done()
        with SimplePipeQueue(path) as other:
            other.put_nowait("item")
        assert await asyncio.wait_for(waiting, PATIENCE) == "item"
        assert pq._portal is None
        with pytest.raises(queue.Empty):
            await pq.get(timeout=0.01)


async def test_put_waits_for_a_free_slot(path: str) -> None:
    async with PipeQueue(path) as pq:
        count = 0
        with pytest.raises(queue.Full):
            while True:
                pq.put_nowait((count, "x" * 4000))
                count += 1
        waiting = asyncio.create_task(pq.put((count, "x" * 4000)))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert [(await pq.get(timeout=PATIENCE))[0] for _ in range(count + 1)] == list(range(count + 1))
        await waiting
    assert pq.closed


async def test_a_cancelled_get_takes_nothing(path: str) -> None:
    async with PipeQueue(path) as pq:
        for number in range(50):
            waiting = asyncio.create_task(pq.get())
            await asyncio.sleep(0)
            pq.put_nowait(number)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await pq.get() == number


async def test_a_burst_is_read_at_once(path: str) -> None:
    async with PipeQueue(path) as pq:
        for item in LITERALS:
            pq.put_nowait(item)
        assert [pq.get_nowait() for _ in LITERALS] == LITERALS


async def test_close_while_a_task_waits(path: str) -> None:
    pq = PipeQueue.pipequeue(path)
    waiting = asyncio.create_task(pq.get())
    await asyncio.sleep(0)
    pq.close()
    with pytest.raises(Closed):
        await waiting


class Alarm(LiteralSerializer):
    """A serializer in which the handler of a signal raises, once."""

    def __init__(self) -> None:
        self.calls = 0

    def dump(self, obj: Any, /) -> bytes:
        self.calls += 1
        if self.calls == 1:
            raise TimeoutError("an alarm")
        return super().dump(obj)


@pytest.mark.parametrize("put", ["put", "put_nowait"])
def test_a_signal_handler_that_raises_while_an_item_is_dumped(path: str, put: str) -> None:
    with SimplePipeQueue(path, serializer=Alarm()) as pq:
        with pytest.raises(TimeoutError, match="an alarm"):
            getattr(pq, put)(1)
        getattr(pq, put)(2)
        assert pq.get_nowait() == 2
        assert pq.qsize() == 0
