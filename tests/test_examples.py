"""Every program of examples/, and every program in the documentation, does what it says."""

from __future__ import annotations

import ast
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from communica_like.system import reap
from tests.process import Program
from tests.rmq_broker import needs_broker

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DEADLINE = 50

# What each program prints, among other things. Patterns, in this order.
EXPECTED = {
    "adaptix_models": [r"Receipt\(text='3 x apple', total=1.5\)", "not sent: .* got an object of dict"],
    "blocking_queues": [
        "worker: an urgent job\nworker: a job\nworker: one more",
        r"exit code: 0; left: 0\nof type 1: an order\nno more of type 1; 1 of others\n",
        r"from the pipe: \(0, 'First message\.'\)\nleft in the folder: \[\]",
    ],
    "blocking_client": [
        r"12 \* 12 = 144\nthe sum of squares: 328350\n",
        r"The server said: too large \(code 413\)\nexit code: 0",
    ],
    "call_back": [
        r"server: Really delete notes\.txt\?\nclient: notes\.txt is kept",
        r"server: junk\.tmp is gone\nclient: junk\.tmp is deleted",
        r"clients: \['alice'\]",
    ],
    "connector_fifo": [
        r"2 x 10000 numbers = 99990000\nexit code: 0\nleft in the folder: \[\]",
    ],
    "connector_manager": [r"serving manager://adder\n1 \+ 2 \+ 3.5 = 6.5\nexit code: 0\n"],
    "connector_posixmq": [
        r"IS ANYBODY THERE\?\n1000 more, many of them in one message of the queue\n",
        r"not answered: the process \d+ at the other end has ended \(outcome: unknown\)",
    ],
    "connector_rmq": [r"6.5\n6.5\n6.5\nexit codes: \[0, 0, 0\]\n6 = 6 = 6\nclients of each server: 1 1\n"],
    "connector_rmq_inbox": [
        r"the broker has it\nthe first server is working on a huge one\nanswer: small a huge one\n",
        r"servers that shared the rest: 2\n",
        r"one of the others said: once more, order \d: (a huge|an early) one\nexit codes: -9 \[0, 0\]\n",
    ],
    "connector_stdio": [
        "words: 6\non stderr: .*'hello from the child', 'counting', 'a program that a handler runs'",
        r"lost: the child process .* ended with exit code 3; its stderr ends with:\n(.*\n)*there is nothing",
    ],
    "connector_sysv": [
        r"(hello client \d+, process True\n){3}",
        r"exit codes: \[0, 0, 0\]\nthe killed server's queue is removed",
    ],
    "demo": ["100,000 throws arrived, each once and in order", "Everything was as promised"],
    "fire_and_forget_log": ["worker-0: 1000 lines\nworker-1: 1000 lines\nworker-2: 1000 lines"],
    "in_tests": [],
    "line_worker": ["received: ONE\nreceived: TWO WORDS\nreceived: 3\nthe most .* 3\nrunning: False"],
    "limits_and_backpressure": [
        "300 throws of 16 KiB were taken",
        "had to wait: True; most in hand at a time: 1[0-5]\n",
        "too big: 204802 bytes",
        "fits: 92160",
    ],
    "manager_queue": [r"squares: \[0, 1, 4, 9, 16, 25, 36, 49, 64, 81\]\nexit codes: \[0, 0\]\n"],
    "logging_config": ["INFO first: step 0, order 17\n(.*\n)*INFO second: step 2, order 17\n$"],
    "blocking_manager": [
        r"squares: \[0, 1, 4, 9, 16, 25, 36, 49, 64, 81\]\nnothing is left to do\nstill works\n"
    ],
    "own_serializer": [r"\('be', 2000\)", r"19000 characters travelled in \d\d bytes"],
    "parent_and_children": ["here are: child-0, child-1, child-2", r"exit codes: \[0, 0, 0\]"],
    "pipe_queue": [r"\('from', 'Python', {'n': 1}\)\nfrom a shell\nleft in the folder: \[\]"],
    "posix_queue": ["job 4", r"exit codes: \[0, 0\]; left: 0"],
    "process_lines": ["3 70\nit broke: .*invalid literal for int"],
    "routes": [
        "alice's shell adds Bob\nuser 1 is Bob",
        r"user.get failed: there is no user 7 \(code 404\)",
        "user.remove failed: the other side has no route 'user.remove'",
    ],
    "sysv_queue": ["orders: an apple\norders: a pear\n", "nobody took: {'to': 'Alice'}"],
    "tcp_tls_authkey": [
        "Without a key or TLS, not beyond this machine: tcp://0.0.0.0:0 would be open",
        "with the key: HELLO\nwith another: the server does not know",
    ],
}
NEEDS_BROKER = {"connector_rmq", "connector_rmq_inbox"}
CLIENTS = ["simple_client", "simple_blocking_client"]
FIRST = ["simple_server", *CLIENTS]  # what the README begins with


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Variables for a program: it finds the package, and has a private directory to itself."""
    # Not tmp_path: a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="cml-") as folder:
        monkeypatch.setenv("COMMUNICA_LIKE_DIR", f"{folder}/state")
        yield {
            "TMPDIR": folder,
            "PYTHONUNBUFFERED": "",  # unbuffered, a line and its end are two writes: others come between
            "PYTHONWARNINGS": "error",
        }
        reap()  # what belongs to servers that the program killed
        left = {path.name for path in Path(folder).rglob("*") if not path.is_dir()}
        assert left <= {"registry.lock"}, "the program left files behind"


def run(program: str | Path, environment: dict[str, str]) -> str:
    """Run a file, or text, and return what it printed."""
    arguments = [str(program)] if isinstance(program, Path) else ["-c", program]
    with Program(*arguments, env=environment) as process:
        lines = process.rest(DEADLINE)
        assert process.end() == 0, lines
        assert "Warning" not in process.stderr
        assert "Exception ignored" not in process.stderr
    return "".join(f"{line}\n" for line in lines)


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == EXPECTED.keys() | set(FIRST)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_example_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_example(name: str, environment: dict[str, str]) -> None:
    if name in NEEDS_BROKER:
        pytest.importorskip("aiormq")
        needs_broker()
    output = run(EXAMPLES / f"{name}.py", environment)
    for pattern in EXPECTED[name]:
        found = re.search(pattern, output)
        assert found, f"{pattern!r} is not in what is left:\n{output}"
        output = output[found.end() :]


def test_server_and_clients_by_hand(environment: dict[str, str]) -> None:
    with Program(EXAMPLES / "simple_server.py", env=environment) as server:
        outputs = {run(EXAMPLES / f"{name}.py", environment) for name in CLIENTS}
        server.send(signal.SIGINT)
        assert server.rest() == []
        assert (server.end(), server.stderr) == (0, "")
    assert outputs == {"1 + 2 + 3.5 = 6.5\n"}
    assert f"```text\n{outputs.pop()}```" in (ROOT / "README.md").read_text("utf-8")


# -------------------------------------------------------------------------------------- documentation


def python_blocks(page: Path) -> list[tuple[str, str, str | None]]:
    """Return name, text, and the ``text`` block that follows at once, of each Python block of a page."""
    found = re.finditer(
        r"^```python\n(?P<code>.*?)^```\n(\n```text\n(?P<output>.*?)^```\n)?",
        page.read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    return [
        (f"{page.relative_to(ROOT)}#{number}", match["code"], match["output"])
        for number, match in enumerate(found, 1)
    ]


def in_an_example(code: str) -> bool:
    return any(code in path.read_text("utf-8") for path in EXAMPLES.glob("*.py"))


def is_program(code: str) -> bool:
    return "asyncio.run(main())" in code


BLOCKS = [block for page in PAGES for block in python_blocks(page)]


@pytest.mark.parametrize("name,code,output", BLOCKS, ids=[name for name, _, _ in BLOCKS])
def test_block_is_python(name: str, code: str, output: str | None) -> None:
    compile(code, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


PROGRAMS = [block for block in BLOCKS if is_program(block[1]) and not in_an_example(block[1])]


@pytest.mark.parametrize("name,code,output", PROGRAMS, ids=[name for name, _, _ in PROGRAMS])
def test_program_in_the_documentation(
    name: str, code: str, output: str | None, environment: dict[str, str]
) -> None:
    printed = run(code, environment)
    assert output is None or printed == output


def test_readme_shows_the_examples() -> None:
    blocks = [code for name, code, _ in BLOCKS if name.startswith("README.md")]
    for code in blocks:
        assert in_an_example(code), code
    for name, code in zip(FIRST, blocks, strict=False):
        _, program = (EXAMPLES / f"{name}.py").read_text("utf-8").split("\n\n", 1)
        assert code == program, f"examples/{name}.py is not what the README shows"


def anchors(page: Path) -> set[str]:
    """Return what the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", text):
        if "://" not in target:
            there = page.parent / target if target else page
            assert there.exists(), f"{page.relative_to(ROOT)} links to {target}"
            assert not anchor or anchor in anchors(there), f"{page.relative_to(ROOT)} links to #{anchor}"
