"""What a machine can hold of the language: how docstrings begin, and that each folder says how it works."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "communica_like"
FILES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = sorted({file.parent for file in FILES if file.name != "__init__.py"})
# Statements of fact. A docstring says what its function does.
STATEMENT = re.compile(r"(It|There|They|Nobody|Somebody|Whoever|Who|From now|What)\b")
VAGUE = re.compile(r"\b(nobody|somebody|whoever)\b", re.IGNORECASE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def is_property(function: Function) -> bool:
    names = [ast.unparse(decorator) for decorator in function.decorator_list]
    return any("property" in name or name.endswith((".setter", ".deleter")) for name in names)


def docstrings() -> Iterator[tuple[str, str]]:
    """Yield the place and the text of each function's docstring, properties aside."""
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, Function) and not is_property(node) and (text := ast.get_docstring(node)):
                yield f"{file.relative_to(PACKAGE.parent)}:{node.lineno} {node.name}", text


def test_docstrings_are_commands() -> None:
    every = list(docstrings())
    found = [f"{place}: {text.splitlines()[0]}" for place, text in every if STATEMENT.match(text)]
    share = len(found) / len(every)
    report = "\n".join([f"{len(found)} of {len(every)} docstrings state a fact, {share:.1%}", *found])
    print(report)
    assert share <= 0.02, report


def test_subjects_are_named() -> None:
    counts = {file: len(VAGUE.findall(file.read_text("utf-8"))) for file in FILES}
    total = sum(counts.values())
    lines = [f"{count:4} {file.relative_to(PACKAGE.parent)}" for file, count in counts.items() if count]
    report = "\n".join([f"nobody, somebody, whoever: {total} times", *lines])
    print(report)
    assert total <= 20, report


def opens_folder(file: Path) -> bool:
    """Whether a file is the one to read first: its folder's ``__init__``, connector, or namesake."""
    folder = file.parent.name.removesuffix("s")
    return file.stem in ("__init__", "connector") or file.stem.startswith(folder)


def docstring_lines(file: Path) -> int:
    """Return how many lines of a file its docstring takes."""
    match ast.parse(file.read_text("utf-8")).body:
        case [ast.Expr(ast.Constant(str()), end_lineno=int() as end) as first, *_]:
            return end - first.lineno + 1
    return 0


def test_each_folder_says_how_it_works() -> None:
    lengths = {
        folder: max(docstring_lines(file) for file in folder.glob("*.py") if opens_folder(file))
        for folder in FOLDERS
    }
    wrong = [folder for folder, length in lengths.items() if not 10 <= length <= 40]
    lines = [f"{lengths[folder]:4} {folder.relative_to(PACKAGE.parent)}" for folder in wrong]
    report = "\n".join(["not 10 to 40 lines of docstring in the file that opens the folder:", *lines])
    print(report)
    assert not wrong, report
