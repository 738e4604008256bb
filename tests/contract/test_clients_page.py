"""docs/clients.md says what clients do: every row is played again, each in a process of its own."""

from __future__ import annotations

import pytest

from chaoscheck.plan.catalogue import FAMILIES
from tests.contract.client_programs import GROUPS, CannotRun, Group
from tests.contract.client_runs import SCENES, rows_of
from tests.contract.clients_page import INTRODUCTION, PAGE, kept_row


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: "+".join(group.names))
def test_clients_do_what_the_page_says(group: Group) -> None:
    """What the page says of my client is true, without a fault and with one of each family.

    Slow (up to 8 s, most of it idle): the clients wait between their own retries in real time.
    """
    try:
        program = group.program()
    except CannotRun as error:
        pytest.skip(str(error))

    assert [kept_row(name) for name in group.names] == rows_of(program)


def test_the_page_has_a_row_for_each_client_and_a_column_for_each_family() -> None:
    """No client that the page names is gone, none is missing, and every family has its fault."""
    text = PAGE.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]

    assert text.startswith(INTRODUCTION)
    assert [name for group in GROUPS for name in group.names] == [
        row.split()[1] for row in rows[1:]
    ]
    assert list(FAMILIES) == sorted({scene.family for scene in SCENES}, key=list(FAMILIES).index)
    assert {len(row.split(" | ")) for row in rows} == {2 + len(SCENES)}
