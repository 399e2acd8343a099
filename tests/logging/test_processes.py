"""Records of real processes: all of them, in order, however the process ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.blocking.scene import Scene, soon
from tests.logging.stage import serving

BEGIN = """
import logging, os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from communica_like.logging import ThrowHandler
handler = ThrowHandler(sys.argv[1], block=60, drain_timeout=60)
logging.basicConfig(level="DEBUG", handlers=[handler])
log = logging.getLogger("app")
"""
ENDINGS = {
    "by itself": "log.info('last')",
    "by an exception": "log.info('last'); sys.excepthook = lambda *_: None; raise ValueError",
    "in a child of multiprocessing": """
import multiprocessing
process = multiprocessing.get_context("fork").Process(target=log.info, args=("last",))
process.start()
process.join()
""",
    "in a forked child of one that logs": """
log.info("first")
if os.fork() == 0:
    log.info("last")
    sys.exit()
os.wait()
""",
    "by logging.shutdown": "log.info('last'); logging.shutdown(); os._exit(0)",
    "after the handler is forgotten": "log.info('last'); logging.getLogger().handlers.clear(); del handler",
}


@pytest.fixture
def scene() -> Iterator[Scene]:
    with Scene() as scene:
        yield scene


@pytest.mark.parametrize("text", ENDINGS.values(), ids=ENDINGS.keys())
def test_the_last_record_arrives(scene: Scene, text: str) -> None:
    with serving(scene.url) as sink:
        script = scene.start(BEGIN + text)
        assert script.end() in (0, 1)
        soon(lambda: "last" in sink.texts())
        assert "Traceback" not in script.stderr
        texts = sink.texts()
        if "fork" in text:  # two processes, whose records come in any order
            texts.sort()
        assert texts in (["last"], ["first", "last"])


def test_forks_throw_their_own_records_only(scene: Scene) -> None:
    """What waits in the parent when it forks is thrown once, and each process keeps its order."""
    text = """
for number in range(3000):
    log.info("parent %d", number)
    if number % 1000 == 500:
        if os.fork() == 0:
            for i in range(100):
                log.info("%d %d", os.getpid(), i)
            sys.exit()
for _ in range(3):
    os.wait()
"""
    with serving(scene.url) as sink:
        script = scene.start(BEGIN + text)
        assert (script.end(), script.stderr) == (0, "")
        soon(lambda: len(sink.records) == 3300)
        by_process: dict[int, list[str]] = {}
        for record in sink.records:
            assert record.process is not None
            by_process.setdefault(record.process, []).append(record.getMessage())
    assert by_process.pop(script.pid) == [f"parent {n}" for n in range(3000)]
    assert len(by_process) == 3
    for pid, texts in by_process.items():
        assert texts == [f"{pid} {i}" for i in range(100)]


def test_forks_say_nothing_of_their_parents_tasks(scene: Scene) -> None:
    text = """
errors = logging.StreamHandler()
errors.setLevel("ERROR")
logging.getLogger("asyncio").addHandler(errors)
log.info("parent")
handler.flush()
if os.fork() == 0:
    log.info("child")
    sys.exit()
os.wait()
"""
    with serving(scene.url) as sink:
        script = scene.start(BEGIN + text)
        assert (script.end(), script.stderr) == (0, "")
        soon(lambda: len(sink.records) == 2)


def four_processes(scene: Scene, count: int) -> None:
    text = "for number in range(int(sys.argv[2])):\n    log.info('%d', number)"
    with serving(scene.url) as sink:
        scripts = [scene.start(BEGIN + text, count) for _ in range(4)]
        for script in scripts:
            assert (script.end(280), script.stderr) == (0, "")
        soon(lambda: len(sink.records) == 4 * count)
        for script in scripts:
            texts = [r.msg for r in sink.records if r.process == script.pid]
            assert texts == [str(number) for number in range(count)]


def test_four_processes(scene: Scene) -> None:
    four_processes(scene, 1000)


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_four_processes_and_a_hundred_thousand_records(scene: Scene) -> None:
    four_processes(scene, 25_000)
