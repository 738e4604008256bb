"""A recording: a file of exchanges, a line each, behind a line that says what it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from chaoscheck.errors import PlanError, WorldError
from chaoscheck.plan.documents.regular_file import read_regular_file
from chaoscheck.server.replay.recorded_exchange import (
    RecordedExchange,
    exchange_from_line,
    line_of,
)

__all__ = ["RECORDING_BYTES_MAX", "RecordingFile", "read_recording"]

RECORDING_BYTES_MAX = 64 * 2**20  # it is kept in memory as a whole, as it is replayed

_FIRST_LINE = b'{"chaoscheck_recording": 1}\n'
_OWNER_ONLY = 0o600


def read_recording(path: Path) -> list[RecordedExchange]:
    """The exchanges of a recording in order; PlanError names the file, the line and the key."""
    try:
        raw = read_regular_file(path, RECORDING_BYTES_MAX)
    except PlanError as error:
        raise PlanError(f"recording {path.name!r} {error}") from None
    if not raw.startswith(_FIRST_LINE):
        marked = raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"))
        why = "begins with a byte order mark" if marked else "is none of `serve --record`"
        raise PlanError(f"recording {path.name!r} {why}")
    exchanges = list(_exchanges_of(path, raw))
    if not exchanges:
        raise PlanError(f"recording {path.name!r} has no exchange")
    return exchanges


def _exchanges_of(path: Path, raw: bytes) -> Iterator[RecordedExchange]:
    lines = raw.split(b"\n")
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        try:
            yield exchange_from_line(line)
        except PlanError as error:
            if number == len(lines):
                return  # A recorder that was killed left its last line unfinished.
            raise PlanError(f"recording {path.name!r}, line {number}: {error}") from None


class RecordingFile:
    """A recording that grows: made with mode 0600, or appended to.

    PlanError for a file that is not a recording, or a place that cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lost = 0
        self._why_lost = ""
        raw = self._checked(path) if path.exists() else b""
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _OWNER_ONLY)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "that is no path"
            raise PlanError(f"recording {path.name!r} cannot be written: {why}") from None
        # A recorder that was killed left its last line unfinished: it goes.
        self._size = raw.rfind(b"\n") + 1
        if self._size < len(raw):
            os.ftruncate(self._file, self._size)
        if not self._size:
            self._write(_FIRST_LINE)

    @staticmethod
    def _checked(path: Path) -> bytes:
        try:
            raw = read_regular_file(path, RECORDING_BYTES_MAX)
        except PlanError as error:
            raise PlanError(f"recording {path.name!r} {error}") from None
        if raw and not raw.startswith(_FIRST_LINE):
            raise PlanError(
                f"recording {path.name!r} exists and is no recording: name another file"
            )
        return raw

    def add(self, exchange: RecordedExchange) -> None:
        """Write one exchange. Never raises: ``close`` tells what could not be written."""
        try:
            self._write(line_of(exchange))
        except (OSError, WorldError) as error:
            self._lost += 1
            self._why_lost = str(getattr(error, "strerror", None) or error)

    def _write(self, line: bytes) -> None:
        if self._size + len(line) > RECORDING_BYTES_MAX:
            raise WorldError(f"it may have {RECORDING_BYTES_MAX} bytes")
        while line:
            written = os.write(self._file, line)
            self._size += written
            line = line[written:]

    def close(self) -> None:
        """Close the file; WorldError if exchanges are missing in it. Twice is once."""
        if self._file < 0:
            return
        os.close(self._file)
        self._file = -1
        if self._lost:
            raise WorldError(
                f"recording {self.path.name!r} lacks {self._lost} exchanges: {self._why_lost}"
            )
