"""AuditTrail: one SQLite database in WAL mode, written in small transactions or not at all.

After SIGKILL a reopened trail shows every transaction that ``write`` returned from. A power loss
is another matter: with ``synchronous`` NORMAL the newest transactions may be missing then, and
so an intent whose effect did happen; the database is consistent still. FULL waits for the disk
on every transaction and loses nothing. After a write has failed, the trail refuses all others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, NoReturn, Self, get_args

from chaoscheck.components.audit_errors import (
    AuditClosed,
    AuditConflict,
    AuditCorrupt,
    AuditError,
    AuditSchemaNewer,
    AuditUnavailable,
    audit_error,
)
from chaoscheck.components.audit_schema import APPLICATION_ID, SCHEMA_VERSION, template
from chaoscheck.components.audit_statements import ALL_OF, Statement
from chaoscheck.components.number_limits import require_at_least, require_whole
from chaoscheck.errors import PlanError

__all__ = ["AuditSettings", "AuditTrail", "Params", "Tables", "WritePoint"]

Params = Mapping[str, object]
Tables = dict[str, list[dict[str, object]]]
Synchronous = Literal["OFF", "NORMAL", "FULL"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WritePoint:
    """An instant in a trail's life: just before or after its ``number``-th write, from 1.

    BEGIN and COMMIT count as writes.
    """

    number: int
    when: Literal["before", "after"]
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """How a trail is kept.

    ``synchronous`` says when SQLite waits for the disk: OFF never (what a power loss leaves may
    be corrupt: for tests), NORMAL at checkpoints, FULL at every transaction.
    ``busy_timeout_s`` is how long a write waits for another connection's lock; it blocks the
    whole thread. ``pages_max`` bounds the database, in pages of 4 KiB (None: the disk does).
    ``on_write`` is called around every write; what it raises ends the trail there and then, as
    a crash would.
    """

    synchronous: Synchronous = "NORMAL"
    busy_timeout_s: float = 0.1
    pages_max: int | None = None
    on_write: Callable[[WritePoint], object] | None = None

    def __post_init__(self) -> None:
        if self.synchronous not in get_args(Synchronous):
            raise PlanError(
                f"synchronous must be one of {get_args(Synchronous)}, got {self.synchronous!r}"
            )
        require_at_least("busy_timeout_s", self.busy_timeout_s, 0)
        if self.pages_max is not None:
            require_whole("pages_max", self.pages_max, 1)


class AuditTrail:
    """An open audit database; make one with ``create`` or ``open``.

    Only one trail writes to a database at a time. Calls are synchronous and take about 20 µs.
    """

    def __init__(self, connection: sqlite3.Connection, settings: AuditSettings) -> None:
        """For ``create`` and ``open``."""
        self._connection = connection
        self._on_write = settings.on_write
        self._writes = 0
        self._failure: AuditError | None = None

    @classmethod
    def create(cls, path: Path, *, settings: AuditSettings | None = None) -> Self:
        """A new, empty audit in a file that must not exist. Raises AuditError."""
        try:
            with open(path, "xb") as file:
                file.write(template())
        except OSError as error:
            # The error's own text holds the path.
            raise AuditUnavailable(
                f"the audit database cannot be created ({type(error).__name__})"
            ) from None
        return cls._connect(path, settings or AuditSettings(), mode="rw")

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        settings: AuditSettings | None = None,
        mode: Literal["rw", "ro"] = "rw",
    ) -> Self:
        """An audit that is there, checked first; nothing in it changes. Raises AuditError.

        To go on after a crash, ask ``AuditRecorder.recover`` next.
        """
        trail = cls._connect(path, settings or AuditSettings(), mode=mode)
        try:
            trail.check_integrity()
        except BaseException:
            trail.close()
            raise
        return trail

    @classmethod
    def _connect(cls, path: Path, settings: AuditSettings, *, mode: str) -> Self:
        try:
            connection = sqlite3.connect(
                f"{Path(path).absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=settings.busy_timeout_s,
                isolation_level=None,
            )
        except sqlite3.Error as error:
            raise audit_error(error) from error
        try:
            _require_ours(connection)
            connection.execute(f"PRAGMA synchronous = {settings.synchronous}")
            connection.execute("PRAGMA foreign_keys = ON")
            if settings.pages_max is not None:
                connection.execute(f"PRAGMA max_page_count = {settings.pages_max}")
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error):
                raise audit_error(error) from error
            raise
        return cls(connection, settings)

    # ------------------------------------------------------------------ writing

    @property
    def writes(self) -> int:
        """How many writes were begun; counted only for a listener of writes."""
        return self._writes

    def write(self, *steps: tuple[Statement, Params]) -> list[int]:
        """Run all ``steps`` as one transaction; how many records each of them changed.

        Raise AuditConflict, with nothing changed, when a record contradicts what is there; the
        trail goes on. Any other AuditError is final: every later write raises it again.
        """
        if self._failure is not None:
            raise type(self._failure)(str(self._failure))
        try:
            self._execute("BEGIN IMMEDIATE", {})
            changed = [self._take(statement, params) for statement, params in steps]
            self._execute("COMMIT", {})
            return changed
        except AuditConflict:
            self._roll_back()
            raise
        except sqlite3.Error as error:
            self._refuse(audit_error(error), error)
        except (OverflowError, UnicodeError) as error:
            # The error's own text may hold the value.
            self._refuse(AuditError(f"SQLite cannot hold a value: {type(error).__name__}"), None)
        except BaseException:
            self.fence()
            raise

    def _take(self, statement: Statement, params: Params) -> int:
        changed = self._execute(statement.sql, params).rowcount
        if statement.must_hit is not None and changed != statement.must_hit:
            what = " ".join(statement.sql.split()[:3])
            raise AuditConflict(
                f"{what} must change {statement.must_hit} records in its place, not {changed}"
            )
        return changed

    def _execute(self, sql: str, params: Params) -> sqlite3.Cursor:
        if self._on_write is None:
            return self._connection.execute(sql, params)
        self._writes += 1
        number = self._writes
        self._on_write(WritePoint(number=number, when="before", sql=sql))
        cursor = self._connection.execute(sql, params)
        self._on_write(WritePoint(number=number, when="after", sql=sql))
        return cursor

    def _refuse(self, refusal: AuditError, cause: BaseException | None) -> NoReturn:
        self._roll_back()
        if not isinstance(refusal, AuditConflict):
            self._failure = refusal
        raise refusal from cause

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            pass  # What could not be rolled back now is rolled back when the file is opened next.

    # ------------------------------------------------------------------ reading

    def read(self, statement: Statement, params: Params) -> list[tuple[object, ...]]:
        """What a select finds."""
        try:
            return self._connection.execute(statement.sql, params).fetchall()
        except sqlite3.ProgrammingError as error:
            raise AuditClosed("the audit was closed") from error
        except sqlite3.Error as error:
            raise audit_error(error) from error

    def export(self) -> Tables:
        """Every table as a list of plain dicts, column by name."""
        return {
            name: [dict(zip(columns, row, strict=True)) for row in self.read(statement, {})]
            for name, (columns, statement) in ALL_OF.items()
        }

    def check_integrity(self) -> None:
        """Raise AuditCorrupt unless pages, indexes and references are as they must be."""
        found = self.read(Statement(sql="PRAGMA integrity_check(1)"), {})
        if found != [("ok",)]:
            raise AuditCorrupt("the audit database is corrupt (integrity_check)")
        if orphans := self.read(Statement(sql="PRAGMA foreign_key_check"), {}):
            raise AuditCorrupt(f"{len(orphans)} records refer to others that are missing")

    # ------------------------------------------------------------------ the end

    def fence(self) -> None:
        """Refuse every later write, and change nothing: what a crash leaves is what is there."""
        if self._failure is None:
            self._failure = AuditClosed("the audit was fenced off; nothing more can be recorded")

    def close(self) -> None:
        """Close the database; idempotent. Later writes raise AuditClosed."""
        if self._failure is None:
            self._failure = AuditClosed("the audit was closed; nothing more can be recorded")
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _require_ours(connection: sqlite3.Connection) -> None:
    """Refuse a database that is not an audit, or a newer one, before anything touches it."""
    application = _pragma(connection.execute("PRAGMA application_id"))
    version = _pragma(connection.execute("PRAGMA user_version"))
    if application != APPLICATION_ID or version < 1:
        raise AuditCorrupt("the file is a database, but not an audit")
    if version > SCHEMA_VERSION:
        raise AuditSchemaNewer(
            f"the schema version of the audit must be <= {SCHEMA_VERSION}, got {version}"
        )


def _pragma(rows: Iterable[tuple[int]]) -> int:
    return next(iter(rows))[0]
