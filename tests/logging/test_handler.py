"""ThrowHandler and LogServer in one process: what arrives, and what does not."""

from __future__ import annotations

import asyncio
import logging
import logging.config
import logging.handlers
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from communica_like import Limits, MemoryConnector, SimpleClient, connector_from
from communica_like.blocking import Portal, SimpleServer
from communica_like.blocking import SimpleClient as BlockingClient
from communica_like.logging import LogServer, ThrowHandler
from tests.blocking.scene import PATIENCE, Scene, gone, soon
from tests.logging.stage import Sink, serving, throwing


@pytest.fixture
def url() -> Iterator[str]:
    with Scene() as scene:
        yield scene.url
    assert gone("communica_like portal")


def test_a_record_arrives_as_it_was(url: str) -> None:
    with serving(url) as sink, throwing(url) as (logger, handler):
        extra = {"user": 5, "tags": ["a", {"b": None}], "obj": object(), "nan": float("nan"), "name_": "n"}
        before = time.time()
        logger.info("hello %s, %d", "you", 3, extra=extra)
        logger.log(35, "100%% of %(what)s", {"what": "it"})
        handler.flush()
        first, second = sink.records
    assert first.getMessage() == "hello you, 3"
    assert second.getMessage() == "100% of it"
    assert (first.levelno, first.levelname, second.levelno) == (20, "INFO", 35)
    fields = first.__dict__
    assert (fields["user"], fields["tags"], fields["name_"]) == (5, ["a", {"b": None}], "n")
    assert not {"obj", "nan"} & fields.keys()
    assert (first.name, first.funcName, first.module) == (
        "app",
        "test_a_record_arrives_as_it_was",
        "test_handler",
    )
    assert (first.pathname, first.threadName, first.processName) == (__file__, "MainThread", "MainProcess")
    assert before <= first.created <= time.time()
    assert first.lineno + 1 == second.lineno
    text = logging.Formatter("%(levelname)s %(process)d %(asctime)s %(message)s").format(first)
    assert text.endswith("hello you, 3")


def test_exceptions_and_stacks_are_text(url: str) -> None:
    with serving(url) as sink, throwing(url) as (logger, handler):
        try:
            raise ValueError("no\udc80 good")
        except ValueError:
            logger.exception("it broke", stack_info=True)
        handler.flush()
        (record,) = sink.records
    assert record.exc_info is None
    text = logging.Formatter().format(record)
    assert text.startswith("it broke\nTraceback (most recent call last):")
    assert "ValueError: no\udc80 good" in text
    assert "Stack (most recent call last):" in text


def test_a_formatter_formats_exceptions(url: str) -> None:
    class Short(logging.Formatter):
        def formatException(self, ei: object) -> str:  # noqa: N802
            return "short"

    with serving(url) as sink, throwing(url) as (logger, handler):
        handler.setFormatter(Short("never %(message)s"))
        logger.error("x", exc_info=ValueError())
        handler.flush()
        assert (sink.records[0].getMessage(), sink.records[0].exc_text) == ("x", "short")


def test_levels_and_filters_of_both_sides(url: str) -> None:
    with serving(url, level=logging.WARNING) as sink, throwing(url, level="INFO") as (logger, handler):
        handler.addFilter(lambda record: "secret" not in record.getMessage())
        sink.addFilter(lambda record: "dull" not in record.getMessage())
        logger.debug("not thrown")
        logger.info("not logged")
        for text in ("secret", "dull", "heard"):
            logger.error(text)
        handler.flush()
        assert sink.texts() == ["heard"]


def test_by_name_if_no_logger_is_given() -> None:
    async def main() -> None:
        sink = Sink()
        logging.getLogger("tests.somewhere").addHandler(sink)
        logging.getLogger("tests.somewhere").setLevel("INFO")
        connector = MemoryConnector()
        async with LogServer(connector), SimpleClient(connector) as client:
            strange: list[Any] = [{}, [], "text", {"name": 5}, {"name": "x", "extra": 5}]
            for data in strange:
                await client.throw(data)
            record = logging.LogRecord("tests.somewhere", 20, "path", 1, "m", (), None)
            fields = {
                name: value for name, value in record.__dict__.items() if name not in ("args", "exc_info")
            }
            evil = {"getMessage": 1, "msg": "other", "fine": 2}
            await client.throw({**fields, "via": [], "extra": evil})
            await client.request(None)
        logging.getLogger("tests.somewhere").removeHandler(sink)
        assert sink.texts() == ["m"]
        assert sink.records[0].__dict__["fine"] == 2

    asyncio.run(main())


def test_threads_in_order(url: str) -> None:
    with serving(url) as sink, throwing(url, block=PATIENCE) as (logger, handler):

        def log(number: int) -> None:
            for i in range(500):
                logger.info("%d %d", number, i)

        threads = [threading.Thread(target=log, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        handler.flush()
        texts = sink.texts()
        assert len(texts) == 4000
        for n in range(8):
            assert [t for t in texts if t.startswith(f"{n} ")] == [f"{n} {i}" for i in range(500)]
        assert handler.dropped == 0


# --------------------------------------------------------------------------------- no room, no server


def test_what_has_no_room_is_dropped_counted_and_told(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """The records before the gap arrive, then one that tells of it, then those that came after it."""
    options: dict[str, Any] = {"max_waiting_bytes": 20_000, "limits": Limits(outbox=10_000)}
    with throwing(url, **options) as (logger, handler):
        began = time.monotonic()
        for number in range(200):
            logger.info("%d %s", number, "x" * 500)
        assert time.monotonic() - began < 5
        dropped = handler.dropped
        assert 100 < dropped < 200
        assert f"{dropped} dropped" in repr(handler)
        assert caplog.text.count("the backlog is full, records are dropped") == 1
        with serving(url) as sink:
            soon(lambda: len(sink.records) > 200 - dropped)
            logger.info("200 after")
            handler.flush()
            texts = sink.texts()
    expected, told = 0, 0
    for text in texts:
        number = int(text.split()[0])
        if "dropped" in text:
            told += number
            expected += number
        else:
            assert number == expected
            expected += 1
    assert (told, expected) == (dropped, 201)
    assert texts[0] == "0 " + "x" * 500
    assert any("log records were dropped here: the backlog was full" in text for text in texts)


def test_block_waits_for_room(url: str) -> None:
    options: dict[str, Any] = {"max_waiting_bytes": 2000, "limits": Limits(outbox=2000)}
    with throwing(url, block=0.2, **options) as (logger, handler):
        while not handler.dropped:
            began = time.monotonic()
            logger.info("x" * 500)
        assert 0.15 < time.monotonic() - began < 5
        handler._block = PATIENCE
        waiting = threading.Thread(target=logger.info, args=("waits",))
        waiting.start()
        with serving(url) as sink:
            waiting.join(PATIENCE)
            handler.flush()
            assert sink.texts()[-1] == "waits"
            assert handler.dropped == 1


def test_many_that_wait_do_not_wait_for_each_other(url: str) -> None:
    options: dict[str, Any] = {"max_waiting_bytes": 2000, "limits": Limits(outbox=2000), "drain_timeout": 0.1}
    with throwing(url, block=1.0, **options) as (logger, handler):
        while not handler.dropped:
            logger.info("x" * 500)
        threads = [threading.Thread(target=logger.info, args=("x" * 500,)) for _ in range(40)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert time.monotonic() - began < 30, "one after the other it would be 40 s"


def test_the_server_comes_late_and_comes_again(url: str) -> None:
    sink = Sink()
    with throwing(url) as (logger, handler):
        logger.info("early")
        with serving(url, sink):
            handler.flush()
            assert sink.texts() == ["early"]
        for number in range(100):
            logger.info("%d", number)
        with serving(url, sink):
            handler.flush()
    assert sink.texts() == ["early", *map(str, range(100))]


def test_no_server_at_all(url: str) -> None:
    with throwing(url, drain_timeout=0.2) as (logger, handler):
        logger.info("nobody")
        began = time.monotonic()
        handler.flush()
        handler.close()
        assert time.monotonic() - began < 5
        logger.info("late")
        handler.flush()
        assert handler.dropped == 1


# --------------------------------------------------------------------------------------- not in circles


def test_what_the_library_says_itself_is_left_out(url: str) -> None:
    with serving(url) as sink, throwing(url) as (_, handler):
        for name in ("communica_like", "communica_like.handlers", "asyncio", "communica_like_x", "app"):
            handler.handle(logging.LogRecord(name, 40, "path", 1, "from %s", (name,), None))
        handler.flush()
        assert sink.texts() == ["from communica_like_x", "from app"]


def test_a_server_that_throws_to_itself(url: str) -> None:
    """Each record comes once, though it is logged to the logger that throws."""
    with throwing(url) as (logger, handler), serving(url) as sink:

        def throw_again(record: logging.LogRecord) -> bool:
            logger.handle(record)
            return True

        sink.addFilter(throw_again)
        for number in range(10):
            logger.info("%d", number)
        handler.flush()
        handler.flush()
        assert sink.texts() == [str(number) for number in range(10)]


def test_it_raises_nothing_into_the_program(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(url) as sink, throwing(url) as (logger, handler):
        logger.info("%d", "no number")
        logger.info("good")
        handler.flush()
        assert sink.texts() == ["good"]
    assert "Logging error" in capsys.readouterr().err


def test_on_the_loops_own_thread(url: str) -> None:
    """An async handler logs, and throws, on the loop that throws: nothing waits."""
    with Scene() as scene, serving(url) as sink, throwing(url, block=PATIENCE) as (logger, handler):

        async def handle(data: str) -> str:
            logger.info("got %s", data)
            handler.flush()
            try:
                handler.close()
            except RuntimeError as error:
                return str(error)
            return "closed"

        with SimpleServer(connector_from(scene.url), handle):
            with BlockingClient(connector_from(scene.url)) as client:
                assert "own thread" in client.request("x", timeout=PATIENCE)
        soon(lambda: sink.texts() == ["got x"])


# ------------------------------------------------------------------------------------- configuration


def test_dict_config(url: str) -> None:
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"loud": {"()": lambda: lambda record: record.levelno >= logging.WARNING}},
        "handlers": {
            "away": {
                "class": "communica_like.logging.ThrowHandler",
                "connector": url,
                "level": "INFO",
                "filters": ["loud"],
                "block": 1,
            }
        },
        "loggers": {"tests.configured": {"level": "DEBUG", "handlers": ["away"], "propagate": False}},
    }
    logging.config.dictConfig(config)
    logger = logging.getLogger("tests.configured")
    (handler,) = logger.handlers
    with serving(url) as sink:
        logger.info("soft")
        logger.error("loud")
        handler.flush()
        assert sink.texts() == ["loud"]
        logger.removeHandler(handler)
        handler.close()
    assert isinstance(handler, ThrowHandler)


def test_below_a_memory_handler_and_a_queue(url: str) -> None:
    with serving(url) as sink, throwing(url, portal=Portal()) as (_, handler):
        memory = logging.handlers.MemoryHandler(100, target=handler)
        logger = logging.Logger("app")
        logger.addHandler(memory)
        logger.info("kept back")
        memory.close()
        handler.flush()
        assert sink.texts() == ["kept back"]


def test_what_cannot_be_a_handler() -> None:
    known = set(logging._handlerList)  # type: ignore[attr-defined]
    with pytest.raises(ValueError):
        ThrowHandler("nonsense")
    with pytest.raises(TypeError):
        ThrowHandler(5)  # type: ignore[arg-type]
    now = set(logging._handlerList)  # type: ignore[attr-defined]
    assert now <= known, "logging.shutdown() will not meet a half of one"
