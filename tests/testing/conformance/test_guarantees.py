"""The table of what each connector guarantees says what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from communica_like.abc import Connector
from communica_like.connectors.registry import BUILT_IN, connector_class

PAGE = Path(__file__).parents[3] / "docs" / "topics" / "promises.md"


def cells(connector: type[Connector]) -> list[str]:
    """The connector's row of the table."""
    declared = connector.guarantees
    answers = {True: "yes", False: "no"}
    return [
        f"`{connector.__name__}`",
        f"`{connector.scheme}`",
        answers[declared.between_processes],
        answers[declared.between_machines],
        "any number" if declared.many_clients else "one",
        answers[declared.resumes],
        answers[declared.verifies_user],
        "at once" if declared.notices_death == "at once" else "by heartbeat",
    ]


def rows() -> dict[str, list[str]]:
    """The rows of the page's table by their first cell."""
    section = PAGE.read_text("utf-8").partition("## What each connector guarantees")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return {row[0]: row for row in found}


@pytest.mark.parametrize("scheme", BUILT_IN)
def test_the_table_has_a_row_that_is_true(scheme: str) -> None:
    row = cells(connector_class(scheme))
    wanted = f"the table of {PAGE.name} needs the row:\n| {' | '.join(row)} |"
    assert rows().get(row[0]) == row, wanted


def test_the_table_has_no_other_rows() -> None:
    assert rows().keys() == {f"`{name}`" for _, name in BUILT_IN.values()}
