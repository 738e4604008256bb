"""The ledger in a file: every exchange a row, nothing lost that was flushed."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from chaoscheck.errors import PlanError, WorldError
from chaoscheck.history.exchange import Exchange
from chaoscheck.server.books import ledger_file
from chaoscheck.server.books.ledger import Ledger
from chaoscheck.server.books.ledger_file import BATCH_ROWS, COLUMNS, LedgerFile
from properties.test_ledger_counters import EXCHANGE

ODD = EXCHANGE._replace(
    number=2,
    attempt_id="a\0b",
    fault="refuse()",
    fault_name="refuse",
    effect=True,
    streamed=True,
    status=None,
    body_digest=None,
    last_byte_at_s=0.25,
    client_left_at_s=0.5,
    ended="client_left",
)


def _read(path: Path, what: str = "*") -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(f"SELECT {what} FROM exchanges ORDER BY rowid").fetchall()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where no ledger is yet."""
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def file(path: Path) -> Iterator[LedgerFile]:
    """A ledger file of run r, which began 7 s after the epoch; it keeps all that is known."""
    opened = LedgerFile(path, run_id="r", started_at_s=7.0, prompts=True, keys=True)
    with contextlib.suppress(WorldError):
        yield opened
        opened.close()


def test_a_row_holds_every_field_of_its_exchange_when_asked_to(
    file: LedgerFile, path: Path
) -> None:
    """What the server saw I read back whole, with the run and its start before it."""
    file.add(EXCHANGE)
    file.add(ODD)
    file.flush()

    assert ("run_id", "server_started_at_s") == COLUMNS[:2]
    assert [("r", 7.0, *each) for each in (EXCHANGE, ODD)] == _read(path)


def test_a_ledger_feeds_its_file(file: LedgerFile, path: Path) -> None:
    """The file has what the ring has dropped and what a reset has forgotten."""
    ledger = Ledger(1, sink=file.add)
    ledger.add(EXCHANGE)
    ledger.add(ODD)
    ledger.clear()
    file.flush()

    assert [(1,), (2,)] == _read(path, "number")


def test_rows_are_written_in_batches(file: LedgerFile, path: Path) -> None:
    """A request costs no write of its own; each 500th writes all that wait."""
    for number in range(BATCH_ROWS + 3):
        file.add(EXCHANGE._replace(number=number))
        if number == BATCH_ROWS - 2:
            assert [] == _read(path)
    written = len(_read(path))
    file.flush()

    assert (BATCH_ROWS, BATCH_ROWS + 3) == (written, len(_read(path)))


def test_what_was_flushed_survives_without_a_close(file: LedgerFile, path: Path) -> None:
    """A copy taken at the instant a server is killed has every row that was flushed."""
    file.add(EXCHANGE)
    file.flush()
    file.add(ODD)
    killed = path.with_name("killed.sqlite")
    for suffix in ("", "-wal"):
        Path(f"{killed}{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())

    assert [(1,)] == _read(killed, "number")


def test_a_reader_does_not_hold_the_writer_up(file: LedgerFile, path: Path) -> None:
    """I may keep a query open while the server writes; it sees what was there when it began."""
    file.add(EXCHANGE)
    file.flush()
    with contextlib.closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM exchanges").fetchone()
        file.add(ODD)
        file.flush()
        during = reader.execute("SELECT count(*) FROM exchanges").fetchone()

    assert ((1,), (1,), 2) == (before, during, len(_read(path)))


def test_runs_are_appended_and_told_apart(path: Path) -> None:
    """One file may hold many runs, each with an id of its own."""
    for _ in range(2):
        file = LedgerFile(path)
        file.add(EXCHANGE)
        file.close()

    assert 2 == len(set(_read(path, "run_id"))) == len(_read(path))


def test_closing_writes_what_waits_and_twice_is_once(path: Path) -> None:
    """A clean end loses nothing; afterwards a write is an error and not silence."""
    file = LedgerFile(path)
    file.add(EXCHANGE)
    file.close()
    file.close()
    file.add(ODD)

    with pytest.raises(WorldError, match=r"ledger file 'ledger\.sqlite' is closed"):
        file.flush()
    assert [(1,)] == _read(path, "number")


def test_half_a_surrogate_pair_is_written_escaped(file: LedgerFile, path: Path) -> None:
    """A prompt that is no legal Unicode costs neither its row nor its neighbours'."""
    file.add(EXCHANGE)
    file.add(EXCHANGE._replace(tag="a\ud800é"))
    file.flush()

    assert [("hi",), ("a\\ud800é",)] == _read(path, "tag")


def test_it_is_flushed_now_and_then_and_at_the_end(file: LedgerFile, path: Path) -> None:
    """A reader is late by the interval at most, and cancelling the task loses nothing."""
    seen = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(file.flushing, 2.0)
            for each in (EXCHANGE, ODD):
                file.add(each)
                await trio.sleep(1.5)
                seen.append(len(_read(path)))
            file.add(EXCHANGE)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    assert [0, 2, 3] == [*seen, len(_read(path))]


@pytest.mark.parametrize("every_s", [0, -1.0, float("nan"), float("inf")])
def test_an_interval_must_be_positive(file: LedgerFile, every_s: float) -> None:
    """A task that flushed all the time, or never, is a mistake."""
    with pytest.raises(PlanError, match="every_s must be a finite number > 0, got"):
        trio.run(file.flushing, every_s)


# ---------------------------------------------------------------------- a file that fails


def _locked(path: Path) -> contextlib.closing[sqlite3.Connection]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return contextlib.closing(other)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second of real time is spent on waiting for a lock."""
    monkeypatch.setattr(ledger_file, "_BUSY_TIMEOUT_S", 0.0)


@pytest.mark.usefixtures("_impatient")
def test_what_could_not_be_written_waits(path: Path) -> None:
    """A locked file is said aloud by flush, and its rows are written once that is over."""
    file = LedgerFile(path)
    with _locked(path):
        for _ in range(BATCH_ROWS + 1):  # Entering never fails: a request is no place for it.
            file.add(EXCHANGE)
        with pytest.raises(WorldError, match=r"ledger file 'ledger\.sqlite': database is locked"):
            file.flush()
    file.close()

    assert BATCH_ROWS + 1 == len(_read(path))


@pytest.mark.usefixtures("_impatient")
def test_what_was_lost_is_never_hidden(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded while the disk is full; afterwards flush and close say what is missing."""
    monkeypatch.setattr(ledger_file, "BATCH_ROWS", 2)
    monkeypatch.setattr(ledger_file, "KEPT_ROWS_MAX", 3)
    file = LedgerFile(path)
    with _locked(path):
        for number in range(6):
            file.add(EXCHANGE._replace(number=number))
    with pytest.raises(WorldError, match="3 exchanges were lost"):
        file.close()

    assert [(3,), (4,), (5,)] == _read(path, "number")


def _foreign_database(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE exchanges (a)")


def _older_ledger(path: Path) -> None:
    LedgerFile(path).close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("ALTER TABLE exchanges DROP COLUMN effect")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_text("notes"), "exists and is not a ledger"),
        (lambda path: path.write_bytes(b"x" * 5000), "exists and is not a ledger"),
        (_foreign_database, "exists and is not a ledger"),
        (_older_ledger, "was written by another version"),
        (lambda path: path.mkdir(), "is a folder"),
        (os.mkfifo, "is not a regular file"),
    ],
    ids=["text", "bytes", "foreign database", "older ledger", "folder", "fifo"],
)
def test_what_is_not_a_ledger_is_refused_and_left_alone(
    make: Any, reason: str, path: Path, tmp_path: Path
) -> None:
    """A slip of the hand destroys no file; the message names it, but not where it is."""
    make(path)
    before = path.read_bytes() if path.is_file() else None

    with pytest.raises(PlanError, match=f"ledger file 'ledger.sqlite' {reason}") as caught:
        LedgerFile(path)
    assert before == (path.read_bytes() if path.is_file() else None)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["missing/l.db", "file/l.db", "nul\0.db", "n" * 300], ids=["no", "file", "nul", "long"]
)
def test_a_place_that_cannot_be_written_is_refused(name: str, tmp_path: Path) -> None:
    """I learn before the server starts that its ledger cannot be kept."""
    (tmp_path / "file").touch()

    with pytest.raises(PlanError, match="ledger file ") as caught:
        LedgerFile(tmp_path / name)
    assert str(tmp_path) not in str(caught.value)


def test_an_empty_file_becomes_a_ledger(path: Path) -> None:
    """A name that a temporary file has reserved is good."""
    path.touch()
    LedgerFile(path).close()

    assert [] == _read(path)


def test_an_exchange_has_a_column_for_each_field() -> None:
    """A new field of an exchange is kept without a further word."""
    assert COLUMNS[2:] == Exchange._fields
