"""What SQLite answers is an error of the audit by its kind, and nothing of its text is quoted."""

from __future__ import annotations

import sqlite3

import pytest

from chaoscheck.components.audit_errors import (
    AuditConflict,
    AuditCorrupt,
    AuditError,
    AuditFull,
    AuditLocked,
    AuditReadOnly,
    AuditUnavailable,
    audit_error,
)

# By SQLite's own list of result codes; an extended code is of the kind of its primary one.
KINDS: dict[str, type[AuditError]] = {
    "SQLITE_READONLY": AuditReadOnly,
    "SQLITE_READONLY_DBMOVED": AuditReadOnly,
    "SQLITE_BUSY": AuditLocked,
    "SQLITE_BUSY_SNAPSHOT": AuditLocked,
    "SQLITE_LOCKED": AuditLocked,
    "SQLITE_LOCKED_SHAREDCACHE": AuditLocked,
    "SQLITE_FULL": AuditFull,
    "SQLITE_CORRUPT": AuditCorrupt,
    "SQLITE_CORRUPT_INDEX": AuditCorrupt,
    "SQLITE_NOTADB": AuditCorrupt,
    "SQLITE_CANTOPEN": AuditUnavailable,
    "SQLITE_CANTOPEN_ISDIR": AuditUnavailable,
    "SQLITE_PERM": AuditUnavailable,
    "SQLITE_IOERR": AuditUnavailable,
    "SQLITE_IOERR_FSYNC": AuditUnavailable,
    "SQLITE_CONSTRAINT": AuditConflict,
    "SQLITE_CONSTRAINT_UNIQUE": AuditConflict,
    "SQLITE_CONSTRAINT_PRIMARYKEY": AuditConflict,
    "SQLITE_ERROR": AuditError,
    "SQLITE_TOOBIG": AuditError,
}


@pytest.mark.parametrize("name", KINDS)
def test_an_error_has_the_kind_of_its_code(name: str) -> None:
    """And names the code, but no path and no value."""
    error = sqlite3.OperationalError("/secret/path")
    error.sqlite_errorcode, error.sqlite_errorname = getattr(sqlite3, name), name

    found = audit_error(error)

    assert type(found) is KINDS[name]
    assert str(found).endswith(f" ({name})")
    assert "secret" not in str(found)


def test_an_error_without_a_code_is_named_by_its_class() -> None:
    """Python's own module raises such, for instance where a connection is closed."""
    found = audit_error(sqlite3.ProgrammingError("/secret/path"))

    assert (type(found), str(found)) == (AuditError, "the audit failed (ProgrammingError)")
