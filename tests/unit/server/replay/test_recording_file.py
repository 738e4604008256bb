"""The file of a recording: what is read, what is refused, what is missing and said."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.errors import PlanError, WorldError
from chaoscheck.server.replay import recording_file
from chaoscheck.server.replay.recorded_answer import answer_of
from chaoscheck.server.replay.recorded_exchange import (
    RecordedExchange,
    TimedBytes,
    exchange_from_line,
    line_of,
)
from chaoscheck.server.replay.recording_file import RecordingFile, read_recording

FIRST = b'{"chaoscheck_recording": 1}\n'
EXCHANGE = RecordedExchange(request="0" * 32, method="POST", target="/v1/x", status=200, body=b"{}")
GOOD = line_of(EXCHANGE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where no recording is yet."""
    return tmp_path / "recording.jsonl"


_DELAYS = st.floats(0, 3600)
_DATA = st.one_of(st.binary(max_size=40), st.text(max_size=40).map(lambda text: text.encode()))


@given(
    st.builds(
        RecordedExchange,
        request=st.text(max_size=9),
        method=st.sampled_from(["GET", "POST"]),
        target=st.text(max_size=9),
        ended=st.sampled_from(["complete", "cut"]),
        status=st.integers(200, 599),
        headers=st.just((("content-type", "text/event-stream"),)),
        delay_s=_DELAYS,
        streamed=st.just(True),
        events=st.lists(st.builds(TimedBytes, _DELAYS, _DATA), max_size=4).map(tuple),
    )
    | st.builds(
        RecordedExchange,
        request=st.text(max_size=9),
        method=st.just("POST"),
        target=st.just("/x"),
        status=st.integers(200, 599),
        body=_DATA,
    )
)
def test_what_is_written_is_read_back(exchange: RecordedExchange) -> None:
    """Any bytes, any timing, text or not: the line says it all."""
    line = line_of(exchange)

    assert exchange == exchange_from_line(line)
    assert 1 == line.count(b"\n")
    answer_of(exchange, timed=True)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "line 2: no JSON"),
        (b"[]", "line 2: exchange: must be a table"),
        (b"{}", "line 2: request: is missing"),
        (GOOD.replace(b'"ended"', b'"endet"'), "line 2: ended: is missing"),
        (GOOD.replace(b"complete", b"finished"), "ended: must be one of complete, cut"),
        (GOOD.replace(b"200", b"99"), "status: must be an integer in [200, 599], got 99"),
        (GOOD.replace(b"200", b"true"), "status: must be an integer"),
        (GOOD.replace(b'"delay_s": 0.0', b'"delay_s": -1'), "delay_s: must be in [0, 3600]"),
        (GOOD.replace(b'"delay_s": 0.0', b'"delay_s": NaN'), "delay_s: must be a number"),
        (GOOD.replace(b'"delay_s": 0.0', b'"delay_s": 1e308'), "delay_s: must be in [0, 3600]"),
        (GOOD.replace(b'"headers": {}', b'"headers": {"set-cookie": "a"}'), "headers: must be"),
        (
            GOOD.replace(b'"headers": {}', b'"headers": {"location": "a\\r\\nb: c"}'),
            "headers: must be",
        ),
        (GOOD.replace(b'["{}"]', b'["base64", "%"]'), "body: is no base64"),
        (GOOD.replace(b'["{}"]', b'"{}"'), "body: must be a list"),
        (GOOD.replace(b'"body": ["{}"]', b'"events": [[0]]'), "events[0]: must be [a text]"),
        (GOOD.replace(b'"body": ["{}"]', b'"events": [[]]'), "events[0]: must be a number"),
        (b'{"request": 1, "method": "", "target": "", "ended": "refused"}', "request: must be"),
        (b"[" * 100_000, "line 2: no JSON"),
    ],
)
def test_a_bad_line_is_refused_by_its_number_and_key(path: Path, line: bytes, says: str) -> None:
    """Whoever edits a recording by hand is told where and what."""
    path.write_bytes(FIRST + line.rstrip() + b"\n" + GOOD)

    with pytest.raises(PlanError) as refusal:
        read_recording(path)
    assert says in str(refusal.value)
    assert "recording 'recording.jsonl'" in str(refusal.value)
    assert str(path.parent) not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is none of `serve --record`"),
        (b'{"text": "a"}\n', "is none of `serve --record`"),
        (b"\xef\xbb\xbf" + FIRST + GOOD, "begins with a byte order mark"),
        ((FIRST + GOOD).decode().encode("utf-16"), "begins with a byte order mark"),
        (FIRST + b"\n\n", "has no exchange"),
    ],
)
def test_what_is_no_recording_is_refused(path: Path, content: bytes, says: str) -> None:
    """Another file, or one that an editor marked, is named for what it is."""
    path.write_bytes(content)

    with pytest.raises(PlanError, match=f"'recording.jsonl' {says}"):
        read_recording(path)


@pytest.mark.parametrize("use", [read_recording, RecordingFile])
def test_a_pipe_is_refused_without_waiting_for_its_writer(path: Path, use: Any) -> None:
    """I am told at once, to read or to write."""
    os.mkfifo(path)

    with pytest.raises(PlanError, match="it is a pipe"):
        use(path)


def test_a_recording_is_appended_to_and_its_owner_s_alone(path: Path) -> None:
    """Two sessions make one recording; a line that a killed recorder left unfinished goes."""
    before = os.umask(0)
    try:
        for _ in range(2):
            file = RecordingFile(path)
            file.add(EXCHANGE)
            file.close()
            file.close()
            with path.open("ab") as tail:
                tail.write(GOOD[:20])
    finally:
        os.umask(before)

    assert [EXCHANGE, EXCHANGE] == read_recording(path)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_a_file_that_is_no_recording_is_left_alone(path: Path) -> None:
    """A slip of the hand destroys no file."""
    path.write_text("notes", encoding="utf-8")

    with pytest.raises(PlanError, match="exists and is no recording"):
        RecordingFile(path)
    assert "notes" == path.read_text(encoding="utf-8")


def test_a_place_that_cannot_be_written_is_refused(path: Path) -> None:
    """A folder that does not exist is my mistake."""
    with pytest.raises(PlanError, match="cannot be written: No such file"):
        RecordingFile(path.parent / "nowhere" / "file")


def test_a_full_recording_says_what_it_lacks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is bounded, serving goes on, and at the end I hear how much is missing."""
    monkeypatch.setattr(recording_file, "RECORDING_BYTES_MAX", len(FIRST) + 2 * len(GOOD))
    file = RecordingFile(path)
    for _ in range(5):
        file.add(EXCHANGE)

    with pytest.raises(WorldError, match=r"'recording\.jsonl' lacks 3 exchanges: it may have"):
        file.close()
    assert [EXCHANGE, EXCHANGE] == read_recording(path)
