"""What an audit trail holds, as values that a check may judge.

They are read from the tables of an export: table name to rows, each a mapping by column. So a
check needs neither the database nor the component, and any audit that exports these columns can
be judged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from chaoscheck.errors import PlanError

__all__ = [
    "AuditHistory",
    "AuditedCall",
    "AuditedError",
    "AuditedRow",
    "AuditedState",
    "audit_history",
]

V = TypeVar("V")

Record = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedRow:
    """A row and every terminal outcome of its tokens; a good audit has one token, one outcome."""

    row_index: int
    tokens: tuple[str, ...]
    outcomes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedState:
    """One try of a token at a node: ``status`` is open, pending, completed or failed."""

    state_id: str
    token_id: str
    attempt: int
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedCall:
    """One request that was meant to leave.

    ``status`` is pending, ok (a whole reply came), error (the transport failed) or unknown.
    ``body_digest`` is the SHA-256 of what came of the body, ``failure_kind`` what the caller
    made of it (None: no failure), ``error_type`` the exception's name.
    """

    attempt_id: str
    state_id: str
    call_index: int
    status: str
    status_code: int | None
    body_digest: str | None
    error_type: str | None
    failure_kind: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedError:
    """The stored error of a row; ``attempt_id`` names the failed call behind it, if any.

    ``stated_status`` is the status code that the error's own details name.
    """

    token_id: str
    state_id: str
    reason: str
    destination: str
    attempt_id: str | None
    status_code: int | None
    kind: str | None
    body_digest: str | None
    stated_status: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHistory:
    """All that an audit says, each part in the order of the export."""

    rows: tuple[AuditedRow, ...]
    states: tuple[AuditedState, ...]
    calls: tuple[AuditedCall, ...]
    errors: tuple[AuditedError, ...]


def audit_history(tables: Mapping[str, Sequence[Record]]) -> AuditHistory:
    """The values in an export's ``tables``. PlanError for a missing table or column."""
    return AuditHistory(
        rows=_rows(tables),
        states=tuple(
            AuditedState(
                state_id=_get(row, "state_id", str),
                token_id=_get(row, "token_id", str),
                attempt=_get(row, "attempt", int),
                status=_get(row, "status", str),
            )
            for row in _table(tables, "node_states")
        ),
        calls=tuple(_call(row) for row in _table(tables, "calls")),
        errors=tuple(_error(row) for row in _table(tables, "transform_errors")),
    )


def _rows(tables: Mapping[str, Sequence[Record]]) -> tuple[AuditedRow, ...]:
    outcomes: dict[str, list[str]] = {}
    for row in _table(tables, "token_outcomes"):
        outcomes.setdefault(_get(row, "token_id", str), []).append(_get(row, "outcome", str))
    tokens: dict[str, list[str]] = {}
    for row in _table(tables, "tokens"):
        tokens.setdefault(_get(row, "row_id", str), []).append(_get(row, "token_id", str))
    rows: list[AuditedRow] = []
    for row in _table(tables, "rows"):
        own = tokens.get(_get(row, "row_id", str), [])
        rows.append(
            AuditedRow(
                row_index=_get(row, "row_index", int),
                tokens=tuple(own),
                outcomes=tuple(word for token in own for word in outcomes.get(token, [])),
            )
        )
    return tuple(rows)


def _call(row: Record) -> AuditedCall:
    return AuditedCall(
        attempt_id=_get(row, "attempt_id", str),
        state_id=_get(row, "state_id", str),
        call_index=_get(row, "call_index", int),
        status=_get(row, "status", str),
        status_code=_maybe(row, "status_code", int),
        body_digest=_maybe(row, "body_digest", str),
        error_type=_maybe(row, "error_type", str),
        failure_kind=_maybe(row, "failure_kind", str),
    )


def _error(row: Record) -> AuditedError:
    return AuditedError(
        token_id=_get(row, "token_id", str),
        state_id=_get(row, "state_id", str),
        reason=_get(row, "reason", str),
        destination=_get(row, "destination", str),
        attempt_id=_maybe(row, "attempt_id", str),
        status_code=_maybe(row, "status_code", int),
        kind=_maybe(row, "kind", str),
        body_digest=_maybe(row, "body_digest", str),
        stated_status=_maybe(_details(row), "status_code", int),
    )


def _details(row: Record) -> Record:
    try:
        details = json.loads(_get(row, "details", str))
    except ValueError:
        details = None
    if not isinstance(details, dict):
        raise PlanError("column 'details' must hold a JSON object")
    return details


def _table(tables: Mapping[str, Sequence[Record]], name: str) -> Sequence[Record]:
    if name not in tables:
        raise PlanError(f"an audit export must have the table {name!r}, got {sorted(tables)}")
    return tables[name]


def _maybe(row: Record, column: str, kind: type[V]) -> V | None:
    return None if row.get(column) is None else _get(row, column, kind)


def _get(row: Record, column: str, kind: type[V]) -> V:
    value = row.get(column)
    if not isinstance(value, kind):
        raise PlanError(f"column {column!r} must hold {kind.__name__}, got {type(value).__name__}")
    return value
