"""A ledger file that a thread writes: the server never waits, and no loss is kept quiet."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import pytest

from chaoscheck.errors import PlanError, WorldError
from chaoscheck.server.books import ledger_file, ledger_writer
from chaoscheck.server.books.ledger_file import BATCH_ROWS, LedgerFile
from chaoscheck.server.books.ledger_writer import LedgerWriter
from properties.test_ledger_counters import EXCHANGE
from tests.unit.server.books.test_ledger_file import _locked, _read

LATER_S = 3600.0  # an interval that a test does not live to see


class _Warnings:
    """What a writer was warned of; ``came`` is set with the first."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.came = threading.Event()

    def __call__(self, text: str) -> None:
        self.said.append(text)
        self.came.set()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where no ledger is yet."""
    return tmp_path / "ledger.sqlite"


def _writer(path: Path, warn: _Warnings | None = None, every_s: float = LATER_S) -> LedgerWriter:
    file = LedgerFile(path, busy_timeout_s=0.001)
    return LedgerWriter(file, warn=warn or _Warnings(), every_s=every_s).start()


def test_a_foreign_lock_never_holds_the_server_up(path: Path) -> None:
    """While another process holds the file, exchanges are taken at once and written afterwards."""
    warnings = _Warnings()
    writer = _writer(path, warnings)
    with _locked(path) as other:
        for _ in range(BATCH_ROWS):
            writer.add(EXCHANGE)
        assert warnings.came.wait(10)  # The thread has tried, and this one was not held up.
        for _ in range(BATCH_ROWS + 1):
            writer.add(EXCHANGE)
        other.rollback()
    writer.close()

    assert 2 * BATCH_ROWS + 1 == len(_read(path))
    assert ["ledger file 'ledger.sqlite': database is locked"] == warnings.said


def test_nothing_is_written_by_the_thread_that_adds(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a disk does, it does it to the ledger's own thread."""
    wrote: list[threading.Thread] = []
    flush = LedgerFile.flush

    def noted(file: LedgerFile) -> None:
        wrote.append(threading.current_thread())
        flush(file)

    monkeypatch.setattr(LedgerFile, "flush", noted)
    writer = _writer(path)
    for _ in range(2 * BATCH_ROWS):
        writer.add(EXCHANGE)
    writer.close()

    assert {"chaoscheck ledger"} == {thread.name for thread in wrote}
    assert 2 * BATCH_ROWS == len(_read(path))


def test_rows_are_written_now_and_then(path: Path) -> None:
    """A single exchange does not wait for a batch."""
    written = threading.Event()
    writer = LedgerWriter(LedgerFile(path), every_s=0.001)
    flush = writer._file.flush

    def noted() -> None:
        flush()
        if not writer._file.waiting and _read(path):
            written.set()

    writer._file.flush = noted  # type: ignore[method-assign]
    writer.start().add(EXCHANGE)
    assert written.wait(10)
    writer.close()


def test_what_a_lock_kept_out_at_the_end_is_counted(path: Path) -> None:
    """The end is not put off for a foreign lock: it says how much is missing, and why."""
    writer = _writer(path)
    with _locked(path):
        for _ in range(3):
            writer.add(EXCHANGE)
        with pytest.raises(WorldError, match=r"locked; 3 exchanges are not in the file"):
            writer.close()
        writer.close()  # Twice is once.


def test_what_does_not_fit_is_lost_and_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded while the file is locked; the newest exchanges are kept."""
    monkeypatch.setattr(ledger_file, "KEPT_ROWS_MAX", 3)
    writer = _writer(path)
    with _locked(path) as other:
        for number in range(5):
            writer.add(EXCHANGE._replace(number=number))
        other.rollback()
    with pytest.raises(WorldError, match=r"2 exchanges were lost .*; 2 exchanges are not in"):
        writer.close()

    assert [(2,), (3,), (4,)] == _read(path, "number")


def test_what_is_dropped_while_it_is_written_is_not_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each exchange is in the file once, also if the queue overflows while a batch is written."""
    monkeypatch.setattr(ledger_file, "KEPT_ROWS_MAX", 3)
    file = LedgerFile(path)
    write = file._write

    def meanwhile(batch: list[object]) -> None:
        for number in (3, 4):
            file.keep(EXCHANGE._replace(number=number))
        write(batch)  # type: ignore[arg-type]

    for number in range(3):
        file.keep(EXCHANGE._replace(number=number))
    monkeypatch.setattr(file, "_write", meanwhile)
    file.flush()
    monkeypatch.setattr(file, "_write", write)
    file.close()

    assert 0 == file.lost
    assert [(0,), (1,), (2,), (3,), (4,)] == _read(path, "number")


def test_a_deleted_file_is_warned_of_and_is_an_error_at_the_end(path: Path) -> None:
    """A ledger that is kept nowhere is no ledger."""
    warnings = _Warnings()
    writer = _writer(path, warnings, every_s=0.001)
    path.unlink()
    writer.add(EXCHANGE)
    assert warnings.came.wait(10)
    with pytest.raises(WorldError, match=r"was deleted .*; 1 exchanges are not in the file"):
        writer.close()

    assert 1 == len(warnings.said)


def test_a_disk_that_does_not_answer_is_given_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's end waits for a while only, and says what is missing."""
    monkeypatch.setattr(ledger_writer, "_JOIN_MAX_S", 0.01)
    answers = threading.Event()
    monkeypatch.setattr(LedgerFile, "flush", lambda _: answers.wait(10))
    writer = _writer(path)
    writer.add(EXCHANGE)
    try:
        with pytest.raises(WorldError, match=r"did not answer .* 1 exchanges are not in the file"):
            writer.close()
    finally:
        answers.set()
        writer._thread.join(10)
        writer._file.close(write=False)


def test_an_error_of_our_own_is_told_at_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread lives on, and what it could not write is counted."""

    def fail(_: LedgerFile) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(LedgerFile, "flush", fail)
    writer = _writer(path)
    writer.add(EXCHANGE)
    with pytest.raises(WorldError, match=r"ZeroDivisionError.*; 1 exchanges are not in the file"):
        writer.close()


@pytest.mark.parametrize("every_s", [0, -1.0, float("nan"), float("inf")])
def test_a_writer_s_interval_must_be_positive(path: Path, every_s: float) -> None:
    """A thread that wrote all the time, or never, is a mistake."""
    with contextlib.closing(LedgerFile(path)) as file, pytest.raises(PlanError, match="every_s"):
        LedgerWriter(file, every_s=every_s)
