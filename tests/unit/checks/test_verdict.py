"""Verdict: three values, each with the witness it needs."""

from __future__ import annotations

import pytest

from chaoscheck.checks.verdict import Breach, Finding, Verdict
from chaoscheck.errors import PlanError

BROKEN = Breach(law="order", what="2 came before 1", evidence=(2, 1))
MISSING = Breach(law="order", what="the log ends at 1")


@pytest.mark.parametrize(
    ("breaches", "undecided", "finding"),
    [
        ((), (), Finding.OK),
        ((), (MISSING,), Finding.UNKNOWN),
        ((BROKEN,), (), Finding.VIOLATED),
        ((BROKEN,), (MISSING,), Finding.VIOLATED),
    ],
)
def test_a_breach_outweighs_what_is_missing(
    breaches: tuple[Breach, ...], undecided: tuple[Breach, ...], finding: Finding
) -> None:
    """What is proven wrong is wrong whatever else is not known; and unknown is never OK."""
    verdict = Verdict.of(breaches, undecided)

    assert finding is verdict.finding
    assert (finding is Finding.OK) == verdict.ok
    assert (breaches or undecided) == verdict.witness


def test_a_verdict_reads_as_its_witness() -> None:
    """A failing assertion shows the finding and one line for each breach."""
    verdict = Verdict.of((BROKEN,))

    assert "VIOLATED\n  order: 2 came before 1" == str(verdict)
    assert {"order"} == verdict.laws


@pytest.mark.parametrize(("finding", "witness"), [(Finding.OK, (BROKEN,)), (Finding.UNKNOWN, ())])
def test_a_verdict_and_its_witness_agree(finding: Finding, witness: tuple[Breach, ...]) -> None:
    """There is no OK with a breach, and no doubt without a reason."""
    with pytest.raises(PlanError):
        Verdict(finding=finding, witness=witness)


def test_only_a_law_that_was_judged_and_held_is_let_through() -> None:
    """In a test I require a verdict; what is violated or not proven fails with the whole text."""
    Verdict.of(()).require()
    with pytest.raises(AssertionError, match=r"^VIOLATED\n  order: 2 came before 1$"):
        Verdict.of((BROKEN,)).require()
    with pytest.raises(AssertionError, match=r"^nothing was proven: UNKNOWN\n  order: the log"):
        Verdict.of((), (MISSING,)).require()
