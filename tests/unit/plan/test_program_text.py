"""Programs as JSON and as one word: what goes out comes in again, and nothing else does."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chaoscheck.errors import PlanError
from chaoscheck.plan.program import Literal, Program, Step
from chaoscheck.plan.program_text import (
    STEPS_MAX,
    TEXT_MAX,
    from_blob,
    from_json,
    is_blob,
    parsed,
    to_blob,
    to_json,
)
from tests.unit.plan.programs import programs

QUICK = settings(max_examples=20, deadline=None, database=None, derandomize=True)


def same(one: Program, other: Program) -> bool:
    """Whether two programs are equal, NaN being equal to itself."""
    return repr(one) == repr(other)


@QUICK
@given(programs())
def test_a_program_survives_json(program: Program) -> None:
    """A file on disk says all that there is to say."""
    text = json.dumps(to_json(program), allow_nan=False)

    assert same(program, from_json(parsed(text)))


@QUICK
@given(programs())
def test_a_program_survives_a_command_line(program: Program) -> None:
    """One word of plain letters."""
    blob = to_blob(program)

    assert is_blob(blob)
    assert blob.isascii()
    assert not set(" '\"\n$") & set(blob)
    assert same(program, from_blob(blob))


def with_argument(value: Any) -> Any:
    """A program of one step with one argument, as JSON values."""
    return {"steps": [{"number": 1, "rule": "fetch", "arguments": {"size": value}}]}


def with_step(**step: Any) -> Any:
    """A program of one step, as JSON values."""
    return {"steps": [{"number": 1, "rule": "fetch", **step}]}


def with_hold(**hold: Any) -> Any:
    """A program of one hold, as JSON values."""
    return {"holds": [{"task": "a@1", "at": 0, "until": "b@1", "ran": 1, **hold}]}


def nested(depth: int) -> Any:
    """Lists in lists."""
    made: Any = []
    for _ in range(depth):
        made = [made]
    return made


REFUSED: list[tuple[Any, str]] = [
    (None, "a program must be an object, got None"),
    ([], "a program must be an object"),
    ({"step": []}, r"a program has setup, steps and holds, got \['step'\]"),
    ({"steps": {}}, "steps must be a list"),
    ({"steps": [1]}, "a step must be an object, got 1"),
    (
        {"steps": [{}] * (STEPS_MAX + 1)},
        f"at most {STEPS_MAX} steps are legal, got {STEPS_MAX + 1}",
    ),
    ({"steps": [{"number": 1, "rule": "a"}] * 2}, "each step has a number of its own"),
    ({"setup": 3}, "decisions of step 0 must be a list, got 3"),
    ({"setup": [["fault", 1]]}, r"a decision is \[question, nth, answer\]"),
    ({"setup": [["fault", -1, 1]]}, r"a decision is \[question, nth, answer\]"),
    ({"holds": {}}, "holds must be a list"),
    ({"holds": ["a"]}, "a hold must be an object, got 'a'"),
    (with_step(number=0), r"number must be an integer in \[1, 10\*\*9\], got 0"),
    (with_step(number=True), r"number must be an integer in \[1, 10\*\*9\], got True"),
    (with_step(number=10**10), r"number must be an integer in \[1, 10\*\*9\]"),
    (with_step(rule=""), "rule must be a text of 1 to 500 characters"),
    (with_step(rule="r" * 501), "rule must be a text of 1 to 500 characters"),
    (with_step(rule=["fetch"]), "rule must be a text"),
    (with_step(arguments=[]), "arguments of step 1 must be an object"),
    (with_step(why="x"), r"step 1 has number, rule, arguments, decisions, got \['why'\]"),
    (with_step(decisions={"fault": 1}), "decisions of step 1 must be a list"),
    (with_argument([1]), "argument 'size' of step 1: not a value"),
    (with_argument({"pickle": "gASV"}), "argument 'size' of step 1: not a value"),
    (with_argument({"float": "1e999"}), "argument 'size' of step 1: not a value"),
    (with_argument({"float": "nan", "more": 1}), "argument 'size' of step 1: not a value"),
    (with_argument({"bytes": "0g"}), "argument 'size' of step 1: bytes must be hexadecimal"),
    (with_argument({"from_step": -1}), "argument 'size' of step 1: from_step must be an integer"),
    (with_argument({"from_step": True}), "argument 'size' of step 1: from_step must be an integer"),
    (with_argument({"from_step": 1, "value": "0"}), "of step 1: value must be an integer"),
    (with_argument({"from_step": 1, "other": 0}), "argument 'size' of step 1: not a value"),
    (with_argument({"choices": [[1]]}), "argument 'size' of step 1: not a value"),
    (with_argument({"choices": [], "shown": 1}), "argument 'size' of step 1: shown must be a text"),
    (with_argument({"fault": "status_42"}), "argument 'size' of step 1: unknown fault"),
    (with_argument({"fault": "__import__('os')"}), "argument 'size' of step 1: a fault is written"),
    (with_argument(nested(50_000)), "argument 'size' of step 1: not a value"),
    ({"holds": 10**5_000}, "holds must be a list, got a int that is too large to be shown"),
    (with_hold(at=-1), r"at must be an integer in \[0, 10\*\*9\], got -1"),
    (with_hold(ran=0), r"ran must be an integer in \[1, 10\*\*9\], got 0"),
    (with_hold(task=None), "task must be a text"),
    (with_hold(source="sun"), "source must be one of timer, socket, worker, got 'sun'"),
    (with_hold(source=1), "source must be one of timer, socket, worker, got 1"),
    (with_hold(whom="c"), r"a hold has task, at, until, ran, late and source, got \['whom'\]"),
]


@pytest.mark.parametrize(("made", "law"), REFUSED, ids=[law[:60] for _, law in REFUSED])
def test_what_is_no_program_is_refused_by_name_and_place(made: Any, law: str) -> None:
    """The error says where the file is wrong, and what would be right."""
    with pytest.raises(PlanError, match=law):
        from_json(made)


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 200_000, "not JSON"),
        ('{"steps": ' + "9" * 5_000 + "}", "not JSON"),
        ('{"steps": [], "steps": []}', r"a key stands twice among \['steps', 'steps'\]"),
        (" " * (TEXT_MAX + 1), f"at most {TEXT_MAX} characters, got {TEXT_MAX + 1}"),
    ],
    ids=["empty", "cut", "deep", "huge number", "duplicate key", "long"],
)
def test_a_text_that_is_no_json_is_refused(text: str, law: str) -> None:
    """A damaged file is a sentence, not a traceback or an endless wait."""
    with pytest.raises(PlanError, match=law):
        parsed(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["steps", "number", "rule", "arguments", "holds", "fault", "choices", "float", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@QUICK
@given(JSON)
@example(made=with_argument({"fault": "status_429(retry_after_s=" + "(" * 100 + ")"}))
def test_any_json_is_a_program_or_refused(made: Any) -> None:
    """Whatever stands in a file, the only error is one that speaks to me."""
    try:
        program = from_json(made)
    except PlanError:
        return
    assert same(program, from_json(json.loads(json.dumps(to_json(program)))))


def test_a_blob_that_was_cut_or_changed_is_refused() -> None:
    """A word that did not survive copy and paste says so."""
    blob = to_blob(Program(steps=(Step(number=1, rule="fetch", arguments={"n": Literal(7)}),)))

    for broken in (blob[:-4], blob + "AAAA", blob[:10] + "%" + blob[11:], "P.", "P.ä", "P.AAAA"):
        with pytest.raises(PlanError, match="not a program that a failing run printed"):
            from_blob(broken)


def test_a_blob_that_would_fill_the_memory_is_refused() -> None:
    """A small word may claim to be a huge text; it is not unpacked."""
    bomb = base64.urlsafe_b64encode(zlib.compress(b" " * 50 * TEXT_MAX, 9)).decode()

    with pytest.raises(PlanError, match=f"at most {TEXT_MAX} characters"):
        from_blob("P." + bomb)
