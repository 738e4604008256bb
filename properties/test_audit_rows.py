"""What an audit keeps of rows: data, tries, calls and outcomes, also of rows JSON cannot hold."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chaoscheck.components.audit_errors import AuditConflict, RowUnstorable
from chaoscheck.components.audit_recorder import (
    AuditRecorder,
    CallEnd,
    CallIntent,
    Recovered,
)
from chaoscheck.components.audit_trail import AuditTrail
from models.llm_fates import status_fate
from properties.audited_process import UNSYNCED

OPENED = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
NAMES = st.sampled_from(["text", "name", "number", "na\u00efve", "x" * 90])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda parts: st.lists(parts, max_size=2) | st.dictionaries(st.text(max_size=3), parts),
    max_leaves=4,
)  # fmt: skip
# What JSON cannot hold, and how an error names it.
UNSTORABLE: Mapping[str, Any] = {
    "bytes": b"raw",
    "set": {1},
    "object": object(),
    "complex": 1j,
    "not a finite number": math.nan,
    "list": [1, [math.inf]],
    "dict": {"a": {"b": b""}},
    "tuple": (object(),),
}
DEFECTS = st.dictionaries(NAMES, st.sampled_from(sorted(UNSTORABLE)), min_size=1, max_size=2)


class Calendar:
    """Each look at it is a second later."""

    def __init__(self) -> None:
        self.looks = count()

    def __call__(self) -> datetime:
        return OPENED + timedelta(seconds=next(self.looks))


@contextmanager
def recording() -> Iterator[tuple[AuditRecorder, str, str]]:
    """A recorder with a run; ids are r, n, then 1, 2, 3 …"""
    numbers = count(1)
    ids = iter(["r", "n"])
    with (
        TemporaryDirectory() as folder,
        AuditTrail.create(Path(folder, "audit.db"), settings=UNSYNCED) as trail,
    ):
        recorder = AuditRecorder(
            trail, new_id=lambda: next(ids, None) or str(next(numbers)), utc_now=Calendar()
        )
        yield recorder, *recorder.begin_run("plugin")


def only(recorder: AuditRecorder, table: str) -> dict[str, Any]:
    """The one record of a table."""
    [record] = recorder.export()[table]
    return record


def digest(text: str) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


@given(st.dictionaries(NAMES, JSON_VALUES, max_size=3))
def test_a_row_is_kept_as_it_came_in(row: dict[str, object]) -> None:
    """Its data as JSON with a digest of that, one token, one open try, one place in the run."""
    with recording() as (recorder, run_id, node_id):
        state = recorder.begin_row(run_id, node_id, 7, row)
        kept, token = only(recorder, "rows"), only(recorder, "tokens")
        tried = only(recorder, "node_states")

        assert row == json.loads(kept["data"])
        assert kept["data"].isascii()
        assert digest(kept["data"]) == kept["data_digest"]
        assert (run_id, 7, token["row_id"]) == (kept["run_id"], kept["row_index"], kept["row_id"])
        assert (state.state_id, state.token_id) == (tried["state_id"], token["token_id"])
        assert (token["token_id"], node_id, 1, "open", None, None) == tuple(
            tried[name]
            for name in ("token_id", "node_id", "attempt", "status", "reason", "closed_at")
        )
        assert kept["recorded_at"].startswith("2026-05-06T07:08:")
        assert tried["opened_at"] != kept["recorded_at"]
        known = recorder.known_rows(run_id)[7]
        assert (token["token_id"], kept["data_digest"], 1, None) == (
            known.token_id,
            known.data_digest,
            known.attempt,
            known.outcome,
        )
        assert recorder.known_rows("another run") == {}


@example({"text": "fine"}, {"name": "bytes"}, False)
@example({}, {"text": "not a finite number"}, True)
@given(st.dictionaries(NAMES, JSON_VALUES, max_size=2), DEFECTS, st.booleans())
def test_a_row_that_json_cannot_hold_is_kept_as_far_as_possible(
    good: dict[str, object], defects: dict[str, str], resumed: bool
) -> None:
    """It is refused by naming its columns, has its terminal outcome, and shows no value of them."""
    row = good | {name: UNSTORABLE[kind] for name, kind in defects.items()}
    with recording() as (recorder, run_id, node_id):
        with pytest.raises(RowUnstorable) as refusal:
            recorder.begin_row(run_id, node_id, 0, row)
        if resumed:  # it has its outcome already
            with pytest.raises(AuditConflict, match="has its outcome: failed"):
                recorder.resume_row(recorder.known_rows(run_id)[0], node_id, 0, row)
        kept = json.loads(only(recorder, "rows")["data"])
        error, outcome = only(recorder, "transform_errors"), only(recorder, "token_outcomes")

        named = {name[:80]: kind for name, kind in defects.items()}
        assert named == refusal.value.fields
        assert {name: {"unstorable": kind} for name, kind in named.items()} == {
            name: value for name, value in kept.items() if name in named
        }
        assert {name[:80] for name in row} == set(kept)
        for name in good.keys() - defects.keys():
            assert good[name] == kept[name[:80]]
        assert (outcome["outcome"], outcome["result"]) == ("failed", None)
        assert only(recorder, "node_states")["status"] == "failed"
        assert (error["reason"], error["error_type"]) == ("row_unstorable", "RowUnstorable")
        details = json.loads(error["details"])
        assert (named, str(refusal.value)) == (details["fields"], details["message"])
        for name, kind in named.items():
            assert f"{name} ({kind})" in str(refusal.value)


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        ("text", {"(row)": "str"}),
        (None, {"(row)": "NoneType"}),
        ({1: "a"}, {"a int as its name": "str"}),
        ({("a", "b"): "c", "d": 1}, {"a tuple as its name": "str"}),
    ],
)
def test_what_is_no_row_is_refused_in_the_same_way(row: Any, fields: dict[str, str]) -> None:
    """No mapping, or one whose columns have no names; it is in the audit all the same."""
    with recording() as (recorder, run_id, node_id):
        with pytest.raises(RowUnstorable) as refusal:
            recorder.begin_row(run_id, node_id, 0, row)

        assert fields == refusal.value.fields
        kept = json.loads(only(recorder, "rows")["data"])
        if isinstance(row, dict):
            expected = {name: {"unstorable": kind} for name, kind in fields.items()}
            assert expected == {name: kept[name] for name in fields}
        else:
            assert kept == {"unstorable": type(row).__name__}
        assert recorder.known_rows(run_id)[0].outcome == "failed"


def test_a_column_that_holds_itself_is_named() -> None:
    """Recursion is a defect like any other."""
    endless: list[object] = []
    endless.append(endless)
    with recording() as (recorder, run_id, node_id), pytest.raises(RowUnstorable) as refusal:
        recorder.begin_row(run_id, node_id, 0, {"text": endless})

    assert refusal.value.fields == {"text": "list"}


# ---------------------------------------------------------------------- outcomes


def test_each_outcome_keeps_what_it_came_with() -> None:
    """A result, an error with its destination and its last failed call, a row given up."""
    with recording() as (recorder, run_id, node_id):
        states = [recorder.begin_row(run_id, node_id, index, {"row": index}) for index in range(4)]
        recorder.complete_row(states[0], {"content": "c", "odd": b""})
        recorder.fail_row(states[1], {"reason": "why", "error_type": "T"}, destination="shelf")
        recorder.fail_row(states[2], {})
        recorder.evict_row(states[3])
        tables = recorder.export()
        ends = {one["token_id"]: one for one in tables["token_outcomes"]}
        tries = {one["token_id"]: one for one in tables["node_states"]}
        errors = {one["token_id"]: one for one in tables["transform_errors"]}

        seen = [
            (ends[s.token_id]["outcome"], tries[s.token_id]["status"], tries[s.token_id]["reason"])
            for s in states
        ]
        assert seen == [
            ("completed", "completed", None),
            ("failed", "failed", "why"),
            ("failed", "failed", "unknown"),
            ("evicted", "failed", "evicted"),
        ]
        result = json.loads(str(ends[states[0].token_id]["result"]))
        assert result == {"content": "c", "odd": {"unstorable": "bytes"}}
        shelved, bare = errors[states[1].token_id], errors[states[2].token_id]
        assert (shelved["destination"], shelved["reason"], shelved["error_type"]) == (
            "shelf", "why", "T",
        )  # fmt: skip
        assert (bare["destination"], bare["error_type"]) == ("discard", "unknown")
        assert json.loads(str(shelved["details"])) == {"reason": "why", "error_type": "T"}
        for state in states:
            assert tries[state.token_id]["closed_at"] == ends[state.token_id]["recorded_at"]
            assert ends[state.token_id]["state_id"] == state.state_id


CALL_ENDS = st.one_of(
    st.builds(
        CallEnd,
        status=st.just("ok"),
        status_code=st.integers(100, 599),
        body_digest=st.just("digest"),
        body_length=st.integers(0, 9),
    ),
    st.builds(
        CallEnd,
        status=st.sampled_from(["error", "unknown"]),
        status_code=st.none() | st.integers(100, 599),
        error_type=st.just("ReadError"),
    ),
)


@given(
    st.lists(
        st.tuples(CALL_ENDS, st.none() | st.sampled_from(["permanent", "transient"])), max_size=3
    )
)
def test_calls_are_kept_as_they_ended_and_an_error_names_the_newest_failed_one(
    calls: list[tuple[CallEnd, Any]],
) -> None:
    """Place, request, end and kind of each call; a judgement overrides what its end alone told."""
    with recording() as (recorder, run_id, node_id):
        state = recorder.begin_row(run_id, node_id, 0, {})
        expected: list[tuple[object, ...]] = []
        for number, (end, judged) in enumerate(calls):
            intent = CallIntent(method="PUT", path=f"/{number}", request_digest=f"d{number}")
            call = recorder.begin_call(state, intent)
            recorder.end_call(call, end)
            kind = kind_of(end)
            assert (state.last_call, call.failure_kind) == (call, kind)
            if judged is not None:
                recorder.judge_call(call, judged)
                kind = judged
            assert (call.failure_kind, state.calls) == (kind, number + 1)
            expected.append((
                number, end.status, "PUT", f"/{number}", f"d{number}", end.status_code,
                end.body_digest, end.body_length, end.error_type, kind,
            ))  # fmt: skip
        recorder.fail_row(state, {"reason": "x"})

        names = ["call_index", "status", "method", "path", "request_digest", "status_code"]
        names += ["body_digest", "body_length", "error_type", "failure_kind"]
        kept = recorder.export()["calls"]
        assert expected == [tuple(one[name] for name in names) for one in kept]
        assert all(str(one["sent_at"]) < str(one["ended_at"]) for one in kept)
        failed = [one for one in kept if one["failure_kind"] is not None]
        error = only(recorder, "transform_errors")
        newest: Mapping[str, object] = failed[-1] if failed else {}
        assert (error["attempt_id"], error["status_code"], error["kind"], error["body_digest"]) == (
            newest.get("attempt_id"),
            newest.get("status_code"),
            newest.get("failure_kind"),
            newest.get("body_digest"),
        )


def kind_of(end: CallEnd) -> str | None:
    """What the end of a call alone tells: a transport error is transient, a status says it."""
    if end.status == "error":
        return "transient"
    if end.status == "unknown" or end.status_code is None:
        return None
    fate = status_fate(end.status_code)
    return None if fate == "ok" else fate


@given(st.none() | st.sampled_from(["", "mine", "taken", "l" * 200, "l" * 201]))
def test_a_call_keeps_the_id_that_its_request_carries(given_id: str | None) -> None:
    """Unless there is none, another call has it, or no server would keep it whole."""
    with recording() as (recorder, run_id, node_id):
        state = recorder.begin_row(run_id, node_id, 0, {})
        for attempt_id in ("taken", given_id):
            intent = CallIntent(method="GET", path="/", request_digest=None, attempt_id=attempt_id)
            call = recorder.begin_call(state, intent)

        assert (call.attempt_id == given_id) == (given_id in ("mine", "l" * 200))
        assert [one["call_index"] for one in recorder.export()["calls"]] == [0, 1]


def test_a_source_of_ids_that_repeats_itself_is_an_error() -> None:
    """It is asked three times, and a call that has ended is over."""
    with recording() as (recorder, run_id, node_id):
        state = recorder.begin_row(run_id, node_id, 0, {})
        intent = CallIntent(method="GET", path="/", request_digest=None)
        first = recorder.begin_call(state, intent)
        asked: list[str] = []
        recorder._new_id = lambda: asked.append(first.attempt_id) or first.attempt_id  # type: ignore[func-returns-value]
        with pytest.raises(AuditConflict):
            recorder.begin_call(state, intent)
        assert (len(asked), state.calls) == (4, 1)
        recorder.end_call(first, CallEnd(status="unknown"))
        with pytest.raises(AuditConflict):
            recorder.end_call(first, CallEnd(status="unknown"))


# ---------------------------------------------------------------------- runs and recovery


def test_a_run_ends_once_and_not_before_its_rows() -> None:
    """It may fail at any time; completed means that each row has its outcome."""
    with recording() as (recorder, run_id, node_id):
        began = dict(only(recorder, "runs"))
        state = recorder.begin_row(run_id, node_id, 0, {})
        with pytest.raises(AuditConflict, match="completes with 0 unfinished rows, got 1"):
            recorder.end_run(run_id)
        recorder.complete_row(state, {})
        recorder.end_run(run_id)
        with pytest.raises(AuditConflict):
            recorder.end_run(run_id, "failed")

        assert began == {
            "run_id": "r", "plugin_name": "plugin", "node_id": "n", "status": "running",
            "started_at": "2026-05-06T07:08:09+00:00", "ended_at": None,
        }  # fmt: skip
        ended = only(recorder, "runs")
        assert ended["status"] == "completed"
        assert ended["ended_at"] > ended["started_at"]
    with recording() as (recorder, run_id, node_id):
        recorder.begin_row(run_id, node_id, 0, {})
        recorder.end_run(run_id, "failed")
        assert only(recorder, "runs")["status"] == "failed"


def test_recovery_counts_what_it_found_and_a_row_is_resumed_as_it_was() -> None:
    """Another row in its place is refused, and so is a try beside one that is under way."""
    with recording() as (recorder, run_id, node_id):
        state = recorder.begin_row(run_id, node_id, 0, {"text": "a"})
        recorder.begin_call(state, CallIntent(method="GET", path="/", request_digest=None))
        known = recorder.known_rows(run_id)[0]
        with pytest.raises(AuditConflict, match="must change 1 records"):
            recorder.resume_row(known, node_id, 0, {"text": "a"})
        assert Recovered(calls=1, states=1) == recorder.recover()
        assert Recovered(calls=0, states=0) == recorder.recover()
        with pytest.raises(AuditConflict, match="row 0 is not the one that was recorded"):
            recorder.resume_row(known, node_id, 0, {"text": "b"})
        again = recorder.resume_row(known, node_id, 0, {"text": "a"})

        call, tries = only(recorder, "calls"), recorder.export()["node_states"]
        assert (call["status"], call["error_type"]) == ("unknown", "interrupted")
        assert call["ended_at"] == tries[0]["closed_at"]
        assert [(one["attempt"], one["status"], one["reason"]) for one in tries] == [
            (1, "failed", "interrupted"), (2, "open", None),
        ]  # fmt: skip
        assert (again.token_id, again.row_index, again.calls) == (state.token_id, 0, 0)
        assert recorder.known_rows(run_id)[0].attempt == 2
