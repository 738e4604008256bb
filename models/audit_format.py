"""The file format of an audit: what any tool that reads one with plain SQLite may rely on.

A column is text; ``#`` says that it is a whole number, ``?`` that it may be empty, ``>table``
that it holds a key of that table, ``=words`` that it holds one of these words. The first column
of a table is its key. No table has row ids of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CALLS", "FORMAT", "STATES", "UNIQUE", "WORDS", "FormatColumn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatColumn:
    """A column: ``table`` is the one that it refers to, ``words`` the name of a list of words."""

    name: str
    key: bool
    number: bool = False
    empty: bool = False
    table: str | None = None
    words: str | None = None


# The moves of a try and of a call: from each status to those that may follow.
STATES: Mapping[str, set[str]] = {
    "open": {"pending", "completed", "failed"},
    "pending": {"completed", "failed"},
    "completed": set(),
    "failed": set(),
}
CALLS: Mapping[str, set[str]] = {
    "pending": {"ok", "error", "unknown"},
    "ok": set(),
    "error": set(),
    "unknown": set(),
}

WORDS: Mapping[str, frozenset[str]] = {
    "run": frozenset({"running", "completed", "failed"}),
    "state": frozenset(STATES),
    "call": frozenset(CALLS),
    "outcome": frozenset({"completed", "failed", "evicted"}),
    "kind": frozenset({"capacity", "transient", "permanent"}),
}

# Beyond the keys: a row has one place in its run, a try one in its token and node, a call one in
# its state. That a token has at most one outcome is the key of its table.
UNIQUE: Mapping[str, frozenset[tuple[str, ...]]] = {
    "rows": frozenset({("run_id", "row_index")}),
    "node_states": frozenset({("token_id", "node_id", "attempt")}),
    "calls": frozenset({("state_id", "call_index")}),
}

_TABLES: Mapping[str, str] = {
    "runs": "run_id plugin_name node_id status=run started_at ended_at?",
    "rows": "row_id run_id>runs row_index# data data_digest recorded_at",
    "tokens": "token_id row_id>rows",
    "node_states": "state_id token_id>tokens node_id attempt# status=state reason? opened_at "
    "closed_at?",
    "calls": "attempt_id state_id>node_states call_index# status=call method path "
    "request_digest? sent_at ended_at? status_code#? body_digest? body_length#? error_type? "
    "failure_kind?=kind",
    "transform_errors": "error_id token_id>tokens state_id>node_states destination reason "
    "error_type details attempt_id?>calls status_code#? kind?=kind body_digest? recorded_at",
    "token_outcomes": "token_id>tokens state_id>node_states outcome=outcome result? recorded_at",
}


def _column(place: int, text: str) -> FormatColumn:
    text, _, words = text.partition("=")
    text, _, table = text.partition(">")
    return FormatColumn(
        name=text.rstrip("#?"),
        key=place == 0,
        number="#" in text,
        empty="?" in text,
        table=table or None,
        words=words or None,
    )


FORMAT: Mapping[str, tuple[FormatColumn, ...]] = {
    table: tuple(_column(place, text) for place, text in enumerate(columns.split()))
    for table, columns in _TABLES.items()
}
