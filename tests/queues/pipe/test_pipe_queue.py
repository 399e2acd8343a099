"""What queues in named pipes do beside what all do: lines, paths, and programs that are not ours."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import math
import os
import queue
import select
import stat
import time
from pathlib import Path

import pytest

from communica_like.exceptions import MessageTooBig, SerializerError
from communica_like.queues import PipeQueue
from communica_like.queues.pipe import pipe_queue
from communica_like.serializers import JsonSerializer, PickleSerializer, RawSerializer
from tests.queues.pipe.stage import PATIENCE, all_of, fill, open_pipes, program

ITEM = {
    "a": (1, -2.5, 3j),
    "b": [None, True, {1}],
    "text": "\u00e9\n",
    "x": b"\n\xff",
    "y": set(),
    "z": math.inf,
}


# -- what is in the pipe


def test_an_item_is_a_line(pipe: PipeQueue, raw: int) -> None:
    pipe.put_nowait((0, "First message."))
    pipe.put_nowait("two\nlines")
    assert os.read(raw, 1000) == b"(0, 'First message.')\n'two\\nlines'\n"
    os.write(raw, b"{'a': {1}}\n")
    assert pipe.get_nowait() == {"a": {1}}


async def test_turberfield_s_queue_understands_it_and_is_understood(pipe: PipeQueue) -> None:
    async with PipeQueue(pipe.path + ".back") as back:
        with program("turberfield", pipe.path) as child:
            assert await child.line() == "ready"
            item = {key: value for key, value in ITEM.items() if key != "z"}
            await pipe.put(item)
            assert await back.get(timeout=PATIENCE) == item


def test_all_kinds_of_items(pipe: PipeQueue) -> None:
    pipe.put_nowait(ITEM)
    assert pipe.get_nowait() == ITEM
    with pytest.raises(SerializerError, match=r"no literal for builtins\.object"):
        pipe.put_nowait(object())
    assert pipe.qsize() == 0


async def test_several_items_wait_in_the_pipe(pipe: PipeQueue, raw: int) -> None:
    os.write(raw, b"1\n2\n3\n[4")
    assert pipe.qsize() == 3
    assert [await pipe.get(), await pipe.get()] == [1, 2]
    assert pipe.qsize() == 1
    # They stay in the pipe for whoever comes first.
    async with PipeQueue(pipe.path) as other:
        assert other.qsize() == 1
        assert await other.get() == 3
    assert os.read(raw, 100) == b"[4"


async def test_an_item_in_parts(pipe: PipeQueue, raw: int) -> None:
    getting = asyncio.create_task(pipe.get())
    for part in (b"[1", b", ", b"'\xc3", b"\xa9'"):
        os.write(raw, part)
        deadline = time.monotonic() + PATIENCE
        while select.select([raw], [], [], 0)[0]:
            assert time.monotonic() < deadline
            await asyncio.sleep(0)
        # What has come does not keep the pipe readable: nothing spins.
        assert not getting.done()
        assert pipe.qsize() == 0
    os.write(raw, b"]\n2\n")
    assert await asyncio.wait_for(getting, PATIENCE) == [1, "\u00e9"]
    assert all_of(pipe) == [2]


async def test_a_part_outlives_a_cancelled_get(pipe: PipeQueue, raw: int) -> None:
    os.write(raw, b"[1, ")
    with pytest.raises(queue.Empty):
        await pipe.get(timeout=0.001)
    os.write(raw, b"2]\n")
    assert await pipe.get(timeout=PATIENCE) == [1, 2]


async def test_others_may_write_items_beyond_pipe_buf(pipe: PipeQueue, raw: int) -> None:
    text = "x" * 300_000
    data = f"'{text}'\n5\n".encode()

    def write() -> None:
        os.set_blocking(raw, True)
        os.write(raw, data)

    writing = asyncio.create_task(asyncio.to_thread(write))
    assert await pipe.get(timeout=PATIENCE) == text
    assert await pipe.get(timeout=PATIENCE) == 5
    await writing


def test_a_line_without_an_end_does_not_fill_the_memory(
    pipe: PipeQueue, raw: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipe_queue, "_LONGEST_LINE", 10_000)
    os.write(raw, b"x" * 20_000)
    with pytest.raises(SerializerError, match="a line of over 10000 bytes"):
        pipe.get_nowait()
    os.write(raw, b"\n1\n")
    with pytest.raises(SerializerError):
        pipe.get_nowait()
    assert pipe.get_nowait() == 1


def test_garbage_is_told_and_gone(pipe: PipeQueue, raw: int) -> None:
    os.write(raw, b"{garbage\n\n1\n")
    with pytest.raises(SerializerError, match="8 bytes in the queue cannot be loaded"):
        pipe.get_nowait()
    with pytest.raises(SerializerError, match="0 bytes in the queue cannot be loaded"):
        pipe.get_nowait()
    assert pipe.get_nowait() == 1


def test_other_serializers(path: str) -> None:
    pipe = PipeQueue(path, serializer=JsonSerializer())
    pipe.put_nowait({"a": "b\n"})
    assert pipe.get_nowait() == {"a": "b\n"}
    pipe.close()
    pipe = PipeQueue(path, serializer=PickleSerializer(0))
    with pytest.raises(SerializerError, match="as one line"):
        pipe.put_nowait([1])
    pipe.close()


def test_what_was_seen_when_a_signal_came_is_not_seen_again(
    pipe: PipeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(descriptor: int, size: int) -> bytes:
        raise KeyboardInterrupt

    pipe.put_nowait("long before")
    with monkeypatch.context() as patched:
        patched.setattr(os, "read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pipe.get_nowait()
    pipe.put_nowait(2)
    assert all_of(pipe) == ["long before", 2]
    with pytest.raises(queue.Empty):
        pipe.get_nowait()


# -- limits


def test_too_big(path: str) -> None:
    pipe = PipeQueue(path, serializer=RawSerializer())
    largest = pipe.guarantees.largest_item
    assert largest == select.PIPE_BUF - 1
    pipe.put_nowait(b"x" * largest)
    with pytest.raises(MessageTooBig, match=f"{largest + 1} bytes.*at most {largest}: PIPE_BUF"):
        pipe.put_nowait(b"x" * (largest + 1))
    assert pipe.qsize() == 1
    assert pipe.get_nowait() == b"x" * largest
    pipe.close()


async def test_full(pipe: PipeQueue, raw: int) -> None:
    count = fill(pipe)
    assert count == fcntl.fcntl(raw, fcntl.F_GETPIPE_SZ) // 2048
    assert pipe.qsize() == count
    with pytest.raises(queue.Full):
        await pipe.put("x" * 3000, timeout=0.01)
    putting = asyncio.create_task(pipe.put("last"))
    got = [await pipe.get(timeout=PATIENCE) for _ in range(count + 1)]
    await putting
    assert [item.strip() for item in got] == [*map(str, range(count)), "last"]


async def test_waiting_for_room_does_not_spin(pipe: PipeQueue) -> None:
    fill(pipe)
    loop = asyncio.get_running_loop()
    putting = asyncio.create_task(pipe.put("x" * 3000, timeout=0.2))
    before = time.process_time()
    start = loop.time()
    with pytest.raises(queue.Full):
        await putting
    assert time.process_time() - before < (loop.time() - start) / 2


def test_a_larger_pipe_is_counted(pipe: PipeQueue, raw: int) -> None:
    fcntl.fcntl(raw, fcntl.F_SETPIPE_SZ, 2**18)
    count = fill(pipe)
    assert count == 2**18 // 2048
    assert pipe.qsize() == count
    assert len(all_of(pipe)) == count


# -- paths


@pytest.mark.parametrize("history", [True, False])
def test_it_is_its_owner_s_alone(path: str, history: bool) -> None:
    before = os.umask(0)
    try:
        pipe = PipeQueue(Path(path), history)
    finally:
        os.umask(before)
    found = os.stat(path)
    assert stat.S_ISFIFO(found.st_mode)
    assert found.st_mode & 0o777 == 0o600
    assert not pipe.guarantees.persistent
    pipe.close()
    assert os.path.exists(path) == history


def test_with_history_a_pipe_is_used_with_what_is_in_it(pipe: PipeQueue) -> None:
    pipe.put_nowait("item")
    again = PipeQueue(pipe.path)
    again.close()
    third = PipeQueue(pipe.path)
    assert third.get_nowait() == "item"
    third.close()


def test_items_are_gone_when_nobody_has_it_open(path: str) -> None:
    first = PipeQueue(path)
    first.put_nowait("item")
    first.close()
    second = PipeQueue(path)
    assert all_of(second) == []
    second.close()


def test_without_history_the_pipe_is_new(pipe: PipeQueue) -> None:
    with pytest.raises(FileExistsError, match="exists; without history"):
        PipeQueue(pipe.path, history=False)
    assert os.path.exists(pipe.path)


def test_close_removes_no_other_file(path: str) -> None:
    first = PipeQueue(path, history=False)
    first.unlink()
    with pytest.raises(FileNotFoundError):
        first.unlink()
    first.put_nowait("it goes on working")
    assert first.get_nowait() == "it goes on working"
    second = PipeQueue(path, history=False)
    with pytest.raises(FileNotFoundError, match="another file has its name"):
        first.unlink()
    first.close()
    assert os.path.exists(path)
    second.close()
    assert not os.path.exists(path)


def test_paths_that_are_no_pipes(path: str, tmp_path: Path) -> None:
    before = open_pipes()
    Path(path).write_text("precious")
    link = tmp_path / "link"
    link.symlink_to(path)
    for each in (path, link, tmp_path, "/dev/null"):
        with pytest.raises(FileExistsError, match="is not a named pipe"):
            PipeQueue(each)
        with pytest.raises(FileExistsError):
            PipeQueue(each, history=False)
    assert Path(path).read_text() == "precious"
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="dangling link"):
        PipeQueue(dangling)
    missing = tmp_path / "missing" / "pipe"
    with pytest.raises(FileNotFoundError, match=str(missing)) as caught:
        PipeQueue(missing)
    assert caught.value.errno == errno.ENOENT
    assert open_pipes() == before


def test_a_relative_path_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pipe = PipeQueue("pipe", history=False)
    monkeypatch.chdir("/")
    pipe.close()
    assert not (tmp_path / "pipe").exists()


def test_descriptors_are_not_inherited_and_all_closed(path: str) -> None:
    before = open_pipes()
    pipe = PipeQueue(path)
    opened = open_pipes() - before
    assert len(opened) >= 2
    assert not any(os.get_inheritable(each) for each in opened)
    pipe.close()
    pipe.close()
    assert open_pipes() == before
