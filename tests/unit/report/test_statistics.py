"""Statistics as a table and as a document."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from chaoscheck.errors import PlanError
from chaoscheck.history.run_statistics import FaultCounts, LawCounts, RuleCounts, RunStatistics
from chaoscheck.report.statistics_document import (
    from_document,
    schema_text,
    statistics_schema,
    to_document,
)
from chaoscheck.report.statistics_table import statistics_lines

RUN = RunStatistics(
    machine="Orders",
    test="test_orders.py::TestOrders::runTest",
    outcome="failed",
    examples=120,
    failures=3,
    seeds=(7, "own"),
    rules=(
        RuleCounts(name="order", runs=1042),
        RuleCounts(name="join", ready_made=True, why_never="its precondition never held"),
    ),
    laws=(
        LawCounts(
            name="each_order_is_shipped_once",
            when="at_rest",
            checked=88,
            judged=80,
            skipped={"overlaps a cut": 6, "evicted": 2},
        ),
        LawCounts(name="it_recovers", when="healed", why_never="no example came to its end"),
    ),
    faults=(
        FaultCounts(name="status_500", injected=31, effects=31, judged=29),
        FaultCounts(name="cut", injected=12),
        FaultCounts(name="refuse", declared=False, injected=1, effects=4, judged=4),
    ),
)

DOCS = Path(__file__).parents[3] / "docs"


def test_the_table_says_how_often_and_marks_what_never_happened() -> None:
    """One line a rule, law and fault; a mark before and behind what never happened."""
    unchecked = "never checked: no example came to its end"
    assert list(statistics_lines(RUN)) == [
        "Orders: 120 examples, 3 failed",
        "    rule   runs",
        "    order  1042",
        "  ! join      0  ! never ran: its precondition never held",
        "    law                         checked  judged  skipped",
        "    each_order_is_shipped_once       88      80  8 (6 overlaps a cut, 2 evicted)",
        f"  ! it_recovers                       0       0  {'0':31}  ! {unchecked}",
        "    fault       injected  effects  judged",
        "    status_500        31       31      29",
        "  ! cut               12        0       0  ! never had an effect",
        "    refuse             1        4       4",
    ]


def test_a_machine_without_faults_has_no_table_of_them() -> None:
    """Nothing is printed about nothing."""
    assert list(statistics_lines(RunStatistics(machine="M", examples=1))) == ["M: 1 examples"]


def test_a_document_is_read_back_as_it_was_written() -> None:
    """JSON and back, marks and reasons included."""
    document = json.loads(json.dumps(to_document(RUN)))

    assert RUN == from_document(document)
    assert 3 == document["marks"]


def test_documents_obey_their_schema() -> None:
    """Full and empty ones; a negative count does not."""
    check = jsonschema.Draft202012Validator(statistics_schema())

    for run in (RUN, RunStatistics(machine="M")):
        check.validate(to_document(run))
    wrong = to_document(RUN)
    wrong["faults"][0]["effects"] = -1
    assert not check.is_valid(wrong)


def test_the_schema_in_the_docs_is_the_one_of_the_code() -> None:
    """What is documented is what is written."""
    assert schema_text() == (DOCS / "statistics.schema.json").read_text("utf-8")


@pytest.mark.parametrize("change", [{"version": 2}, {"format": "other"}])
def test_another_version_is_refused(change: dict[str, object]) -> None:
    """The error names what was expected and what came."""
    with pytest.raises(PlanError, match="version 1, got"):
        from_document({**to_document(RUN), **change})
