"""Every statement of the audit, written in SQLAlchemy Core and compiled once per process.

The trail runs the compiled text on SQLite's own connection, whose cache holds the prepared form:
that takes half the time of handing Core's objects to a Core connection for each row. An update
names the statuses it may leave, so an illegal move changes nothing and is noticed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, Table, bindparam, func, insert, literal_column, or_, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.expression import ClauseElement

from chaoscheck.components import audit_schema as schema
from chaoscheck.components.audit_states import CALL_MOVES, STATE_MOVES, sources_of

__all__ = [
    "ADD_CALL",
    "ADD_ERROR",
    "ADD_OUTCOME",
    "ADD_ROW",
    "ADD_RUN",
    "ADD_STATE",
    "ADD_TOKEN",
    "ADD_TRY",
    "ALL_OF",
    "CLOSE_STATE",
    "COUNT_UNFINISHED",
    "END_CALL",
    "END_RUN",
    "FAILED_CALL",
    "INTERRUPT_STATES",
    "JUDGE_CALL",
    "PEND_STATE",
    "ROWS_OF_RUN",
    "UNSEEN_CALLS",
    "Statement",
]

_DIALECT = sqlite.dialect(paramstyle="named")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Compiled SQL with named parameters; ``must_hit`` rows must be changed, if not None."""

    sql: str
    must_hit: int | None = None


def _compiled(
    clause: ClauseElement, columns: Sequence[str] | None = None, *, must_hit: int | None = None
) -> Statement:
    text = str(clause.compile(dialect=_DIALECT, column_keys=columns))
    return Statement(sql=text, must_hit=must_hit)


def _adding(table: Table, *without: str) -> Statement:
    """An insert of all columns but those that a later statement fills in."""
    names = [column.name for column in table.columns if column.name not in without]
    return _compiled(insert(table), names)


def _may_become(
    target: str, table: Table, moves: Mapping[str, frozenset[str]]
) -> ColumnElement[bool]:
    """The condition that a record's status may move to ``target``."""
    # Words of ours as SQL text: SQLAlchemy would expand a bound list anew for each execution.
    legal: list[ColumnElement[str]] = [
        literal_column(f"'{source}'") for source in sources_of(moves, target)
    ]
    return or_(*(table.c.status == word for word in legal))


_runs, _rows, _tokens = schema.runs.c, schema.rows.c, schema.tokens.c
_states, _calls, _outcomes = schema.node_states.c, schema.calls.c, schema.token_outcomes.c

ADD_RUN = _adding(schema.runs, "ended_at")
END_RUN = _compiled(
    update(schema.runs)
    .where(_runs.run_id == bindparam("of_run"), _runs.status == literal_column("'running'"))
    .values(status=bindparam("end"), ended_at=bindparam("at")),
    must_hit=1,
)
ADD_ROW = _adding(schema.rows)
ADD_TOKEN = _adding(schema.tokens)
ADD_STATE = _adding(schema.node_states, "reason", "closed_at")
_STATE_COLUMNS = ("state_id", "token_id", "node_id", "attempt", "status", "opened_at")
_under_way: Select[tuple[str]] = (
    select(_states.state_id)
    .select_from(schema.node_states)
    .where(
        _states.token_id == bindparam("token_id"),
        _may_become("completed", schema.node_states, STATE_MOVES),
    )
)
# A token is tried again only when none of its tries is under way.
ADD_TRY = _compiled(
    insert(schema.node_states).from_select(
        list(_STATE_COLUMNS), select(*map(bindparam, _STATE_COLUMNS)).where(~_under_way.exists())
    ),
    must_hit=1,
)

PEND_STATE = _compiled(
    update(schema.node_states)
    .where(
        _states.state_id == bindparam("of_state"),
        _may_become("pending", schema.node_states, STATE_MOVES),
    )
    .values(status=literal_column("'pending'")),
    must_hit=1,
)
CLOSE_STATE = _compiled(
    update(schema.node_states)
    .where(
        _states.state_id == bindparam("of_state"),
        _may_become("completed", schema.node_states, STATE_MOVES),
    )
    .values(status=bindparam("end"), reason=bindparam("why"), closed_at=bindparam("at")),
    must_hit=1,
)
INTERRUPT_STATES = _compiled(
    update(schema.node_states)
    .where(_may_become("failed", schema.node_states, STATE_MOVES))
    .values(status=bindparam("end"), reason=bindparam("why"), closed_at=bindparam("at"))
)

_CALL_COLUMNS = (
    "attempt_id", "call_index", "status", "method", "path", "request_digest", "sent_at",
)  # fmt: skip
ADD_CALL = _compiled(
    insert(schema.calls).from_select(
        ["state_id", *_CALL_COLUMNS],
        select(_states.state_id, *map(bindparam, _CALL_COLUMNS)).where(
            _states.state_id == bindparam("state_id"),
            _may_become("completed", schema.node_states, STATE_MOVES),
        ),
    ),
    must_hit=1,
)
END_CALL = _compiled(
    update(schema.calls)
    .where(_calls.attempt_id == bindparam("of_call"), _may_become("ok", schema.calls, CALL_MOVES))
    .values(
        status=bindparam("end"),
        ended_at=bindparam("at"),
        status_code=bindparam("code"),
        body_digest=bindparam("digest"),
        body_length=bindparam("length"),
        error_type=bindparam("error"),
        failure_kind=bindparam("kind"),
    ),
    must_hit=1,
)
JUDGE_CALL = _compiled(
    update(schema.calls)
    .where(_calls.attempt_id == bindparam("of_call"))
    .values(failure_kind=bindparam("kind")),
    must_hit=1,
)
UNSEEN_CALLS = _compiled(
    update(schema.calls)
    .where(_may_become("unknown", schema.calls, CALL_MOVES))
    .values(status=bindparam("end"), error_type=bindparam("error"), ended_at=bindparam("at"))
)
FAILED_CALL = _compiled(
    select(_calls.attempt_id, _calls.status_code, _calls.failure_kind, _calls.body_digest)
    .where(_calls.state_id == bindparam("of_state"), _calls.failure_kind.is_not(None))
    .order_by(_calls.call_index.desc())
)
ADD_ERROR = _adding(schema.transform_errors)
ADD_OUTCOME = _adding(schema.token_outcomes)

_last_attempt = (
    select(func.max(_states.attempt))
    .where(_states.token_id == _tokens.token_id)
    .correlate(schema.tokens)
    .scalar_subquery()
)
ROWS_OF_RUN = _compiled(
    select(
        _rows.row_index,
        _rows.row_id,
        _rows.data_digest,
        _tokens.token_id,
        _last_attempt.label("attempt"),
        _outcomes.outcome,
    )
    .join_from(schema.rows, schema.tokens)
    .outerjoin(schema.token_outcomes, _outcomes.token_id == _tokens.token_id)
    .where(_rows.run_id == bindparam("of_run"))
    .order_by(_rows.row_index)
)
COUNT_UNFINISHED = _compiled(
    select(func.count())
    .select_from(schema.rows)
    .join(schema.tokens)
    .outerjoin(schema.token_outcomes, _outcomes.token_id == _tokens.token_id)
    .where(_rows.run_id == bindparam("of_run"), _outcomes.outcome.is_(None))
)


def _everything(table: Table) -> Select[tuple[object, ...]]:
    order = [column for column in table.columns if column.name in ("row_index", "call_index")]
    return select(*table.columns).order_by(*order, *table.columns[:1])


# What an export reads: the columns of each table and the statement that selects them.
ALL_OF: Mapping[str, tuple[tuple[str, ...], Statement]] = {
    table.name: (tuple(table.columns.keys()), _compiled(_everything(table)))
    for table in schema.metadata.sorted_tables
}
