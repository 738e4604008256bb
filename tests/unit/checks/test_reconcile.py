"""The three-way reconcile: a good audit passes, and each single lie is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chaoscheck.checks.reconcile import reconcile
from chaoscheck.checks.verdict import Finding
from chaoscheck.history.audit import AuditHistory
from chaoscheck.history.exchange import Exchange
from tests.unit.checks.histories import AUDIT, LEDGER, with_call, with_exchange


def test_a_good_audit_agrees_with_its_ledger() -> None:
    """Nothing is held against what is right, and nothing against nothing."""
    assert reconcile(AUDIT, LEDGER, rows_in=2, ledger_total=3).ok
    assert reconcile(AuditHistory(rows=(), states=(), calls=(), errors=()), (), rows_in=0).ok


SPOILT: dict[str, tuple[AuditHistory, tuple[Exchange, ...], str]] = {
    "a call is missing": (replace(AUDIT, calls=AUDIT.calls[:2]), LEDGER, "ledger_in_audit"),
    "a request has no id": (
        with_call(0, status="unknown"), with_exchange(0, attempt_id=None), "ledger_in_audit",
    ),
    "an ok call was never sent": (AUDIT, LEDGER[1:], "ok_call_was_sent"),
    "an ok call has another body": (
        with_call(1, body_digest="other"), LEDGER, "ok_call_was_sent",
    ),
    "an ok call has another status": (with_call(1, status_code=201), LEDGER, "ok_call_was_sent"),
    "an ok call was sent in part": (AUDIT, with_exchange(1, body_sent=9), "ok_call_was_sent"),
    "an ok call has no head": (AUDIT, with_exchange(1, status=None), "ok_call_was_sent"),
    "one id is sent twice": (AUDIT, (*LEDGER, LEDGER[1]), "one_entry_per_call"),
    "a call is pending": (with_call(1, status="pending"), LEDGER, "no_call_pending"),
    "a place is skipped": (with_call(1, call_index=2), LEDGER, "calls_of_a_state"),
    "a call has no state": (with_call(2, state_id="none"), LEDGER, "calls_of_a_state"),
    "a row has no outcome": (
        replace(AUDIT, rows=(replace(AUDIT.rows[0], outcomes=()), AUDIT.rows[1])),
        LEDGER, "one_outcome_per_row",
    ),
    "a row has two outcomes": (
        replace(AUDIT, rows=(replace(AUDIT.rows[0], outcomes=("completed",) * 2), AUDIT.rows[1])),
        LEDGER, "one_outcome_per_row",
    ),
    "an outcome contradicts its state": (
        replace(AUDIT, rows=(replace(AUDIT.rows[0], outcomes=("evicted",)), AUDIT.rows[1])),
        LEDGER, "outcome_of_the_last_state",
    ),
    "a row has no state": (
        replace(AUDIT, states=AUDIT.states[1:], calls=AUDIT.calls[2:]), LEDGER[2:],
        "outcome_of_the_last_state",
    ),
    "a state is open": (
        replace(AUDIT, states=(*AUDIT.states, replace(AUDIT.states[0], status="open"))),
        LEDGER, "no_state_open",
    ),
    "an error is missing": (replace(AUDIT, errors=()), LEDGER, "one_error_per_failed_row"),
    "an error is doubled": (
        replace(AUDIT, errors=AUDIT.errors * 2), LEDGER, "one_error_per_failed_row",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILT)
def test_each_lie_is_named(name: str) -> None:
    """One thing is wrong, the verdict says which, and shows what it speaks of."""
    audit, ledger, law = SPOILT[name]
    verdict = reconcile(audit, ledger, rows_in=2)

    assert Finding.VIOLATED is verdict.finding
    assert {law} == verdict.laws
    assert all(breach.evidence for breach in verdict.witness)


def test_rows_that_never_reached_the_audit_are_missed() -> None:
    """Whoever handed over three rows does not accept an audit of two."""
    assert {"rows_in_audit"} == reconcile(AUDIT, LEDGER, rows_in=3).laws


@pytest.mark.parametrize("status", ["error", "unknown"])
def test_a_call_that_never_arrived_may_have_failed_or_be_unknown(status: str) -> None:
    """A lost request is no lie, as long as nobody calls it a success."""
    assert reconcile(with_call(1, status=status), (LEDGER[0], LEDGER[2])).ok


def test_what_is_under_way_is_judged_only_at_rest() -> None:
    """In the middle of work, calls may be pending and rows without an outcome."""
    rows = (replace(AUDIT.rows[0], outcomes=()), AUDIT.rows[1])
    states = (replace(AUDIT.states[0], status="pending"), AUDIT.states[1])
    working = replace(with_call(1, status="pending"), rows=rows, states=states)

    assert reconcile(working, LEDGER, when="any_time").ok
    assert not reconcile(working, LEDGER).ok


def test_a_request_that_was_never_understood_is_nobody_s_call() -> None:
    """A connection that broke before the headers were whole has no id to look for."""
    unread = with_exchange(0, attempt_id=None, key="")

    assert reconcile(with_call(0, status="error"), unread).ok


def test_a_ledger_that_forgot_leaves_the_matter_open() -> None:
    """Where the server dropped entries, a missing one proves nothing: UNKNOWN, never OK."""
    verdict = reconcile(AUDIT, LEDGER[1:], ledger_total=3)

    assert Finding.UNKNOWN is verdict.finding
    assert {"ok_call_was_sent"} == verdict.laws


def test_a_ledger_that_forgot_hides_no_lie_that_is_visible() -> None:
    """What is there still counts."""
    verdict = reconcile(with_call(1, body_digest="other"), LEDGER[1:], ledger_total=3)

    assert Finding.VIOLATED is verdict.finding
