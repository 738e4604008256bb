"""A small good audit and the ledger that agrees with it, to be spoilt in one place at a time."""

from __future__ import annotations

from dataclasses import replace

from chaoscheck.history.audit import (
    AuditedCall,
    AuditedError,
    AuditedRow,
    AuditedState,
    AuditHistory,
)
from chaoscheck.history.exchange import Exchange

__all__ = ["AUDIT", "LEDGER", "with_call", "with_exchange"]


def _call(number: int, status_code: int, kind: str | None, index: int = 0) -> AuditedCall:
    return AuditedCall(
        attempt_id=f"call {number}",
        state_id=f"state {0 if number < 2 else 1}",
        call_index=index,
        status="ok",
        status_code=status_code,
        body_digest=f"digest {number}",
        error_type=None,
        failure_kind=kind,
    )


def _exchange(number: int, status: int, fault: str | None) -> Exchange:
    return Exchange(
        number=number + 1,
        key="key",
        attempt=1,
        attempt_id=f"call {number}",
        method="POST",
        path="/v1/chat/completions",
        tag=None,
        fault=fault,
        fault_name=fault,
        status=status,
        body_sent=10,
        body_length=10,
        body_digest=f"digest {number}",
        received_at_s=0.0,
        ended_at_s=0.0,
        ended="complete",
        effect=fault is not None,
    )


# Row 0 is refused once and succeeds; row 1 gets a truncated reply, which is permanent.
AUDIT = AuditHistory(
    rows=(
        AuditedRow(row_index=0, tokens=("token 0",), outcomes=("completed",)),
        AuditedRow(row_index=1, tokens=("token 1",), outcomes=("failed",)),
    ),
    states=(
        AuditedState(state_id="state 0", token_id="token 0", attempt=1, status="completed"),
        AuditedState(state_id="state 1", token_id="token 1", attempt=1, status="failed"),
    ),
    calls=(
        _call(0, 429, "capacity"),
        _call(1, 200, None, index=1),
        _call(2, 200, "permanent"),
    ),
    errors=(
        AuditedError(
            token_id="token 1",
            state_id="state 1",
            reason="invalid_json",
            destination="discard",
            attempt_id="call 2",
            status_code=200,
            kind="permanent",
            body_digest="digest 2",
            stated_status=200,
        ),
    ),
)
LEDGER = (
    _exchange(0, 429, "status_429"),
    _exchange(1, 200, None),
    _exchange(2, 200, "truncated_json"),
)


def with_call(number: int, **changes: object) -> AuditHistory:
    """The good audit with one call changed."""
    calls = list(AUDIT.calls)
    calls[number] = replace(calls[number], **changes)  # type: ignore[arg-type]
    return replace(AUDIT, calls=tuple(calls))


def with_exchange(number: int, **changes: object) -> tuple[Exchange, ...]:
    """The good ledger with one exchange changed."""
    ledger = list(LEDGER)
    ledger[number] = ledger[number]._replace(**changes)  # type: ignore[arg-type]
    return tuple(ledger)
