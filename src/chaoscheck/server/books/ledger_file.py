"""A ledger in an SQLite file: every exchange a row, written in batches, readable meanwhile.

The file is in WAL mode: readers see whole batches and block no writer. What was flushed survives
the death of this process (SIGKILL too); a loss of power may cost the last batches, never more.
Only its owner can read the file, and it holds no prompt and no client's key unless asked to.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path

import trio

from chaoscheck.errors import PlanError, WorldError
from chaoscheck.history.exchange import Exchange
from chaoscheck.server.books.private_fields import without_private_texts
from chaoscheck.world import ambient

__all__ = ["BATCH_ROWS", "COLUMNS", "KEPT_ROWS_MAX", "LedgerFile"]

BATCH_ROWS = 500  # a batch takes about 2 ms
KEPT_ROWS_MAX = (
    50_000  # about 50 MB; what waits beyond this while the file cannot be written is lost
)

_APPLICATION_ID = 0x63686B6C  # "chkl", in the file's header
_MAGIC = b"SQLite format 3\0"
_APPLICATION_ID_AT = slice(68, 72)  # SQLite's file format, section 1.3
_BUSY_TIMEOUT_S = 1.0  # a write waits as long for another process's

_OWNER_ONLY = 0o600  # mode of the file; SQLite gives it to its -wal and -shm files as well

_TYPES = {"int": "INTEGER", "bool": "INTEGER", "float": "REAL"}  # all others are text
_FIELDS = Exchange._fields
COLUMNS = ("run_id", "server_started_at_s", *_FIELDS)

_Row = tuple[object, ...]


class LedgerFile:
    """Exchanges in the table ``exchanges`` of the file at ``path``, which is made or appended to.

    Columns are the fields of ``Exchange``, after ``run_id`` and ``server_started_at_s`` (seconds
    since the Unix epoch), which tell the runs in a file apart. ``tag``, the beginning of a prompt,
    is NULL without ``prompts``, and ``key`` a digest without ``keys``. The file's mode is 0600.
    PlanError, and nothing touched, for a file that is not a ledger, a folder, another user's file,
    or a place that cannot be written.

    ``add`` writes at times, and then waits ``busy_timeout_s`` seconds for another process that
    holds the file. A server in real time has a ``LedgerWriter`` do that on a thread.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        run_id: str | None = None,
        started_at_s: float | None = None,
        prompts: bool = False,
        keys: bool = False,
        busy_timeout_s: float | None = None,
    ) -> None:
        self.path = Path(path)
        self.lost = 0
        self._prompts = prompts
        self._keys = keys
        self._run = (
            run_id or ambient.new_id(),
            ambient.wall_time() if started_at_s is None else started_at_s,
        )
        self._waiting: list[Exchange] = []
        self._writing = threading.Lock()
        self._dropping = threading.Lock()  # held for microseconds, unlike the other one
        self._dropped = 0  # while a batch is written
        self._database: sqlite3.Connection | None = _opened(self.path)
        if busy_timeout_s is not None:
            self._database.execute(f"PRAGMA busy_timeout = {round(busy_timeout_s * 1000)}")
        self._file_id = _file_id(self.path)

    @property
    def run_id(self) -> str:
        """The id of this run's rows."""
        return self._run[0]

    def add(self, exchange: Exchange) -> None:
        """Take one exchange; each 500th writes them. Never raises: ``flush`` tells what failed."""
        if self.keep(exchange) % BATCH_ROWS == 0:
            with contextlib.suppress(WorldError):
                self.flush()

    def keep(self, exchange: Exchange) -> int:
        """Take one exchange without writing anything; how many wait then. Never blocks."""
        waiting = self._waiting
        waiting.append(exchange)
        count = len(waiting)
        if count > KEPT_ROWS_MAX:
            with self._dropping:  # The oldest goes.
                del waiting[0]
                self._dropped += 1
                self.lost += 1
        return count

    @property
    def waiting(self) -> int:
        """How many exchanges are not in the file yet."""
        return len(self._waiting)

    def flush(self) -> None:
        """Write what waits; WorldError, and it goes on waiting, if the file does not take it.

        WorldError, too, when the file was deleted or another one stands in its place, and once
        rows were lost because more than ``KEPT_ROWS_MAX`` waited.
        """
        with self._writing:
            self._require_file()
            with self._dropping:
                batch = self._waiting[:]
                self._dropped = 0
            if batch:
                self._write(batch)
                with self._dropping:
                    # What was dropped since the batch was taken is in the file all the same.
                    rescued = min(self._dropped, len(batch))
                    self.lost -= rescued
                    del self._waiting[: len(batch) - rescued]
        if self.lost:
            raise WorldError(
                f"ledger file {self.path.name!r}: {self.lost} exchanges were lost while it could "
                f"not be written (at most {KEPT_ROWS_MAX} wait)"
            )

    def close(self, *, write: bool = True) -> None:
        """Write what waits and close the file, also if the writing fails; twice is once.

        Without ``write`` what waits is left out.
        """
        if self._database is None:
            return
        try:
            if write:
                self.flush()
        finally:
            database, self._database = self._database, None
            database.close()

    async def flushing(self, every_s: float = 1.0) -> None:
        """Flush every so many seconds until cancelled, and a last time then.

        A task of a server. WorldError as ``flush``; PlanError unless ``every_s`` is above 0.
        """
        if not 0 < every_s < float("inf"):
            raise PlanError(f"every_s must be a finite number > 0, got {every_s!r}")
        try:
            while True:
                await trio.sleep(every_s)
                self.flush()
        finally:
            self.flush()

    def _require_file(self) -> None:
        # SQLite goes on writing into a file that has no name any more, and nothing would tell.
        if self._database is not None and _file_id(self.path) != self._file_id:
            raise WorldError(
                f"ledger file {self.path.name!r} was deleted or replaced while it was in use"
            )

    def _write(self, batch: Sequence[Exchange]) -> None:
        if self._database is None:
            raise WorldError(f"ledger file {self.path.name!r} is closed")
        fields = attrgetter(*_FIELDS)
        kept = [
            without_private_texts(each, prompts=self._prompts, keys=self._keys) for each in batch
        ]
        rows: list[_Row] = [(*self._run, *fields(exchange)) for exchange in kept]
        marks = ", ".join("?" * len(COLUMNS))
        insert = f"INSERT INTO exchanges ({', '.join(COLUMNS)}) VALUES ({marks})"
        try:
            with self._database:
                try:
                    self._database.executemany(insert, rows)
                except UnicodeEncodeError:
                    # JSON may hold half a surrogate pair, which UTF-8 cannot. Such rows are rare.
                    self._database.rollback()
                    self._database.executemany(insert, [_encodable(row) for row in rows])
        except sqlite3.Error as error:
            raise WorldError(f"ledger file {self.path.name!r}: {error}") from error


def _encodable(row: _Row) -> _Row:
    return tuple(
        value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
        for value in row
    )


def _file_id(path: Path) -> tuple[int, int] | None:
    """Device and inode of what stands at ``path``; None if nothing that can be looked at does."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _made(path: Path) -> None:
    """Make the file, if there is none, so that only its owner can read it from the beginning."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, _OWNER_ONLY))
    except OSError as error:
        raise _unusable(path, error) from error
    _close_to_others(path)


def _close_to_others(path: Path) -> None:
    """Let only its owner read the file, also one that others could read before."""
    try:
        for suffix in ("", "-wal", "-shm"):  # A killed run leaves the last two behind.
            part = Path(f"{path}{suffix}")
            if part.exists() and stat.S_IMODE(part.stat().st_mode) != _OWNER_ONLY:
                part.chmod(_OWNER_ONLY)
    except OSError as error:
        raise _unusable(path, error) from error


def _opened(path: Path) -> sqlite3.Connection:
    fresh = _is_fresh(path)
    if fresh:
        _made(path)
    # Readers of other threads may close it; a lock keeps its writers apart.
    database: sqlite3.Connection | None = None
    try:
        database = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, check_same_thread=False)
        if fresh:
            _make(database)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        found = tuple(row[1] for row in database.execute("PRAGMA table_info(exchanges)"))
    except sqlite3.Error as error:
        if database is not None:
            database.close()
        raise PlanError(f"ledger file {path.name!r} cannot be written: {error}") from error
    if found != COLUMNS:
        database.close()
        raise PlanError(
            f"ledger file {path.name!r} was written by another version: name a new file"
        )
    try:
        _close_to_others(path)
    except PlanError:
        database.close()
        raise
    return database


def _make(database: sqlite3.Connection) -> None:
    columns = ["run_id TEXT NOT NULL", "server_started_at_s REAL NOT NULL"]
    for name, declared in Exchange.__annotations__.items():
        kind, _, optional = str(getattr(declared, "__forward_arg__", declared)).partition(" | ")
        columns.append(f"{name} {_TYPES.get(kind, 'TEXT')}{'' if optional else ' NOT NULL'}")
    # One transaction: a file is never ours by half.
    database.executescript(
        f"BEGIN; PRAGMA application_id = {_APPLICATION_ID};"
        f" CREATE TABLE exchanges ({', '.join(columns)}); COMMIT;"
    )


def _is_fresh(path: Path) -> bool:
    """Whether there is no file yet, or an empty one; PlanError for what is not a ledger.

    Looks at the bytes alone, since SQLite might recover somebody else's database on opening it.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise PlanError(f"ledger file {path.name!r}: its folder does not exist") from None
        return True
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "not a regular file"
        raise PlanError(f"ledger file {path.name!r} is {kind}: name a file")
    if not os.access(path, os.R_OK | os.W_OK):
        raise PlanError(f"ledger file {path.name!r} cannot be written: permission denied")
    with path.open("rb") as file:
        head = file.read(_APPLICATION_ID_AT.stop)
    if not head:
        return True
    own = head.startswith(_MAGIC) and int.from_bytes(head[_APPLICATION_ID_AT], "big")
    if own != _APPLICATION_ID:
        raise PlanError(f"ledger file {path.name!r} exists and is not a ledger: name another file")
    return False


def _unusable(path: Path, error: Exception) -> PlanError:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return PlanError(f"ledger file {path.name!r} cannot be used: {reason}")
