"""The tables of the audit, and the template database from which every trail is copied.

The constraints carry the laws: a call has one place in its state, an attempt id names one call,
a token has at most one terminal outcome. Creating the tables costs 5 ms and writing the bytes of
a template 0.1 ms, so the tables are created once per process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
)
from sqlalchemy.pool import NullPool

from chaoscheck.components.audit_states import (
    CALL_MOVES,
    FAILURE_KINDS,
    OUTCOMES,
    RUN_STATUSES,
    STATE_MOVES,
)

__all__ = [
    "APPLICATION_ID",
    "SCHEMA_VERSION",
    "calls",
    "metadata",
    "node_states",
    "rows",
    "runs",
    "template",
    "token_outcomes",
    "tokens",
    "transform_errors",
]

SCHEMA_VERSION = 1  # PRAGMA user_version; raised with every change of a table
APPLICATION_ID = 0x63686175  # PRAGMA application_id: "chau"

metadata = MetaData()


def _one_of(column: str, words: Iterable[str]) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})")


def _id(name: str) -> Column[str]:
    return Column(name, String, primary_key=True)


def _of(name: str, table: str) -> Column[str]:
    return Column(name, ForeignKey(f"{table}.{name}"), nullable=False)


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, String, nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, Integer, nullable=nullable)


# WITHOUT ROWID: each table is one tree keyed by its id, so an insert dirties one page fewer.
runs = Table(
    "runs",
    metadata,
    _id("run_id"),
    _text("plugin_name"),
    _text("node_id"),
    Column("status", String, _one_of("status", RUN_STATUSES), nullable=False),
    _text("started_at"),
    _text("ended_at", nullable=True),
    sqlite_with_rowid=False,
)
rows = Table(
    "rows",
    metadata,
    _id("row_id"),
    _of("run_id", "runs"),
    _number("row_index"),
    _text("data"),
    _text("data_digest"),
    _text("recorded_at"),
    UniqueConstraint("run_id", "row_index"),
    sqlite_with_rowid=False,
)
tokens = Table(
    "tokens",
    metadata,
    _id("token_id"),
    _of("row_id", "rows"),
    sqlite_with_rowid=False,
)
node_states = Table(
    "node_states",
    metadata,
    _id("state_id"),
    _of("token_id", "tokens"),
    _text("node_id"),
    _number("attempt"),
    Column("status", String, _one_of("status", STATE_MOVES), nullable=False),
    _text("reason", nullable=True),
    _text("opened_at"),
    _text("closed_at", nullable=True),
    UniqueConstraint("token_id", "node_id", "attempt"),
    sqlite_with_rowid=False,
)
calls = Table(
    "calls",
    metadata,
    _id("attempt_id"),
    _of("state_id", "node_states"),
    _number("call_index"),
    Column("status", String, _one_of("status", CALL_MOVES), nullable=False),
    _text("method"),
    _text("path"),
    _text("request_digest", nullable=True),
    _text("sent_at"),
    _text("ended_at", nullable=True),
    _number("status_code", nullable=True),
    _text("body_digest", nullable=True),
    _number("body_length", nullable=True),
    _text("error_type", nullable=True),
    Column("failure_kind", String, _one_of("failure_kind", FAILURE_KINDS)),
    Index("one_place_in_its_state", "state_id", "call_index", unique=True),
    sqlite_with_rowid=False,
)
transform_errors = Table(
    "transform_errors",
    metadata,
    _id("error_id"),
    _of("token_id", "tokens"),
    _of("state_id", "node_states"),
    _text("destination"),
    _text("reason"),
    _text("error_type"),
    _text("details"),
    Column("attempt_id", ForeignKey("calls.attempt_id")),
    _number("status_code", nullable=True),
    Column("kind", String, _one_of("kind", FAILURE_KINDS)),
    _text("body_digest", nullable=True),
    _text("recorded_at"),
    sqlite_with_rowid=False,
)
# The key of this table is the unique index by which a token has at most one terminal outcome.
token_outcomes = Table(
    "token_outcomes",
    metadata,
    Column("token_id", ForeignKey("tokens.token_id"), primary_key=True),
    Column("state_id", ForeignKey("node_states.state_id"), nullable=False),
    Column("outcome", String, _one_of("outcome", OUTCOMES), nullable=False),
    _text("result", nullable=True),
    _text("recorded_at"),
    sqlite_with_rowid=False,
)


@cache
def template() -> bytes:
    """The bytes of an empty audit database in WAL mode."""
    with tempfile.TemporaryDirectory(prefix="chaoscheck-audit-") as folder:
        path = Path(folder, "template.db")
        engine = create_engine(
            f"sqlite:///{path}", poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
        engine.dispose()
        # The last connection to close has moved the log into the file.
        return path.read_bytes()
