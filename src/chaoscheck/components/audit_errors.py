"""What may be wrong with an audit database, as typed errors.

No message holds a path, a row's value, a prompt or a parameter of a statement: an error of the
audit ends up in logs that more people read than the audit itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from chaoscheck.errors import WorldError

__all__ = [
    "AuditClosed",
    "AuditConflict",
    "AuditCorrupt",
    "AuditError",
    "AuditFull",
    "AuditLocked",
    "AuditReadOnly",
    "AuditSchemaNewer",
    "AuditUnavailable",
    "RowUnstorable",
    "audit_error",
]


class AuditError(WorldError):
    """The audit could not be written or read. Whoever gets it must not go on unaudited."""


class AuditReadOnly(AuditError):
    """The audit database may only be read."""


class AuditLocked(AuditError):
    """Another connection writes to the audit database."""


class AuditFull(AuditError):
    """The disk, or the page limit of the audit database, is exhausted."""


class AuditCorrupt(AuditError):
    """The file is damaged, or it is no audit database."""


class AuditUnavailable(AuditError):
    """The database file is missing, exists already, or the system refuses access to it."""


class AuditSchemaNewer(AuditError):
    """A newer version of chaoscheck wrote this database; it is left as it is."""


class AuditConflict(AuditError):
    """A record contradicts one that is there: a second outcome, an illegal transition."""


class AuditClosed(AuditError):
    """The trail was closed or fenced; nothing can be recorded any more."""


class RowUnstorable(AuditError):
    """A row that JSON cannot hold. ``fields`` names the columns at fault, with their types."""

    def __init__(self, message: str, *, fields: Mapping[str, str]) -> None:
        super().__init__(message)
        self.fields = dict(fields)


_MEANINGS: Mapping[int, tuple[type[AuditError], str]] = {
    sqlite3.SQLITE_READONLY: (AuditReadOnly, "the audit database is read-only"),
    sqlite3.SQLITE_BUSY: (AuditLocked, "the audit database is locked by another connection"),
    sqlite3.SQLITE_LOCKED: (AuditLocked, "the audit database is locked by another connection"),
    sqlite3.SQLITE_FULL: (AuditFull, "the audit database, or its disk, is full"),
    sqlite3.SQLITE_CORRUPT: (AuditCorrupt, "the audit database is corrupt"),
    sqlite3.SQLITE_NOTADB: (AuditCorrupt, "the file is not a database"),
    sqlite3.SQLITE_CANTOPEN: (AuditUnavailable, "the audit database is missing or not accessible"),
    sqlite3.SQLITE_PERM: (AuditUnavailable, "the audit database is not accessible"),
    sqlite3.SQLITE_IOERR: (AuditUnavailable, "the system failed to read or write the audit"),
    sqlite3.SQLITE_CONSTRAINT: (AuditConflict, "the record contradicts one that is there"),
}


def audit_error(error: sqlite3.Error) -> AuditError:
    """The typed error for one of SQLite's; only its symbolic name is quoted."""
    code = getattr(error, "sqlite_errorcode", None)
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    kind, meaning = _MEANINGS.get(
        -1 if code is None else code & 0xFF, (AuditError, "the audit failed")
    )
    return kind(f"{meaning} ({name})")
