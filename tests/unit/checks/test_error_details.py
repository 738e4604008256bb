"""Stored errors equal their faults: status, kind, body, and of the right attempt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chaoscheck.checks.error_details import errors_equal_faults
from chaoscheck.history.audit import AuditHistory
from models.llm_fates import FATES
from tests.unit.checks.histories import AUDIT, LEDGER, with_call, with_exchange


def with_error(**changes: object) -> AuditHistory:
    """The good audit with its error changed."""
    return replace(AUDIT, errors=(replace(AUDIT.errors[0], **changes),))  # type: ignore[arg-type]


def test_true_details_pass() -> None:
    """An error that says what happened is not held against anybody."""
    assert errors_equal_faults(AUDIT, LEDGER, FATES).ok


@pytest.mark.parametrize(
    ("audit", "law"),
    [
        (with_error(attempt_id="call 0"), "error_of_its_own_call"),
        (with_error(status_code=500, stated_status=500), "error_of_its_own_call"),
        (with_error(kind="transient"), "error_of_its_own_call"),
        (with_error(body_digest="digest 0"), "error_of_its_own_call"),
        (with_error(stated_status=429), "status_as_the_row_saw_it"),
        (with_call(0, failure_kind="transient"), "kind_of_the_fault"),
        (with_call(1, failure_kind="permanent"), "kind_of_the_fault"),
        (with_call(0, status_code=503), "status_of_the_fault"),
    ],
)
def test_each_false_detail_is_named(audit: AuditHistory, law: str) -> None:
    """One detail is wrong, and the verdict says which."""
    assert law in errors_equal_faults(audit, LEDGER, FATES).laws


def test_a_success_after_a_fault_that_forbids_it_is_no_success() -> None:
    """A row that completed on a truncated reply is found."""
    ledger = with_exchange(1, fault_name="truncated_json")

    assert {"kind_of_the_fault"} == errors_equal_faults(AUDIT, ledger, FATES).laws


def test_what_the_link_did_is_the_link_s() -> None:
    """A call that broke on its way may be transient, whatever the server meant; never permanent."""
    broken = with_call(1, status="error", failure_kind="transient")
    assert errors_equal_faults(broken, LEDGER, FATES).ok
    assert errors_equal_faults(broken, (LEDGER[0], LEDGER[2]), FATES).ok

    judged = with_call(1, status="error", failure_kind="permanent")
    assert {"kind_of_the_fault"} == errors_equal_faults(judged, LEDGER, FATES).laws


def test_a_link_that_did_nothing_excuses_nothing() -> None:
    """A request that the server answered undisturbed comes to what its own fault says."""
    broken = with_call(0, status="error", failure_kind="transient")
    assert errors_equal_faults(broken, LEDGER, FATES).ok

    steady = errors_equal_faults(broken, LEDGER, FATES, disturbed=lambda exchange: False)
    assert {"kind_of_the_fault"} == steady.laws
    unseen = errors_equal_faults(broken, LEDGER[1:], FATES, disturbed=lambda exchange: False)
    assert unseen.ok  # it never came: a wait for a connection, or the way there


def test_a_call_that_nobody_judged_claims_nothing() -> None:
    """A process may die between a defective reply and its own judgement of it."""
    states = (AUDIT.states[0], replace(AUDIT.states[1], status="failed"))
    unjudged = replace(with_call(2, failure_kind=None), states=states, errors=())

    assert errors_equal_faults(unjudged, LEDGER, FATES).ok
