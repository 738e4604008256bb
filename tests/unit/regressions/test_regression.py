"""The text of a regression file: what it says, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.errors import PlanError
from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import (
    Decision,
    Drawn,
    Draws,
    Literal,
    Program,
    Reference,
    Step,
)
from chaoscheck.plan.program_text import to_json
from chaoscheck.regressions.law import Law
from chaoscheck.regressions.regression import from_text, to_text
from tests.unit.regressions.stories import FAULTY, add, regression

_NAMES = st.text(min_size=1, max_size=20)
_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
_ARGUMENTS = (
    _VALUES.map(Literal)
    | st.builds(Reference, st.integers(0, 9), st.integers(0, 9))
    | st.builds(Drawn, st.lists(_VALUES.filter(lambda v: v is not None)).map(tuple), st.text())
)
_PROGRAMS = st.builds(
    lambda steps, decisions, holds: Program(
        steps=tuple(
            Step(number=number, rule=rule, arguments=arguments)
            for number, (rule, arguments) in enumerate(steps, start=1)
        ),
        decisions=tuple(d for d in decisions if d.step <= len(steps)),
        holds=tuple(holds),
    ),
    st.lists(st.tuples(_NAMES, st.dictionaries(_NAMES, _ARGUMENTS, max_size=3)), max_size=4),
    st.lists(
        st.builds(Decision, st.integers(0, 4), _NAMES, st.integers(0, 9), st.integers(0, 9)),
        max_size=3,
    ),
    st.lists(
        st.builds(Hold, task=_NAMES, at=st.integers(0, 9), until=_NAMES, ran=st.integers(1, 9)),
        max_size=3,
    ),
)


@settings(max_examples=50)
@given(_PROGRAMS)
def test_what_is_kept_is_what_is_read_back(program: Program) -> None:
    """Whatever a story holds, its file holds (50 examples, up to 0.5 s)."""
    kept = regression(program)

    read = from_text(to_text(kept))

    assert json.dumps(to_json(program)) == json.dumps(to_json(read.program))
    assert (kept.law, kept.story, kept.name) == (read.law, read.story, read.name)


def test_each_step_and_each_line_of_the_story_has_a_line_of_its_own() -> None:
    """I can compare two files line by line."""
    lines = to_text(regression(add(1, 2))).splitlines()

    assert '      {"number": 1, "rule": "add", "arguments": {"by": 1}},' in lines
    assert '      {"number": 2, "rule": "add", "arguments": {"by": 2}}' in lines
    assert '    "state = Counter()",' in lines


def test_nothing_invisible_hides_in_a_file() -> None:
    """What I review is what is there: a file is ASCII."""
    law = Law(name="stays_small", exception="Error", message="caf\u00e9 \u202e\x1b[2J")

    assert to_text(regression(add(1), law=law)).isascii()


def test_the_name_is_that_of_the_key_and_of_what_is_replayed_for_which_test() -> None:
    """The same story found again is the same file; another one, or another test's, is another."""
    named = regression(FAULTY).name

    assert named.startswith("Counter-")
    assert named == regression(FAULTY, story=("other",), versions={}).name
    others = [
        regression(add(1)),
        regression(FAULTY, world="loopback"),
        regression(FAULTY, file="test_x.py"),
    ]
    assert named not in [other.name for other in others]


@pytest.mark.parametrize(
    "key", ["../../etc/x", "a/b", "..", ".hidden", "C:\\x", "\u00e9", "x" * 500]
)
def test_no_key_leads_out_of_the_folder(key: str) -> None:
    """A chaos_key with slashes or dots is only a name."""
    name = regression(add(1), chaos_key=key).name

    assert not set(name) & set("/\\:")
    assert not name.startswith(".")
    assert len(name) < 120


def changed(**changes: Any) -> str:
    """The text of a sound file in which these keys say something else."""
    made = json.loads(to_text(regression(add(1))))
    return json.dumps(made | changes)


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not JSON"),
        ('{"format": "chaoscheck regr', "not JSON"),
        (DEEP, "not JSON"),
        ("1" * 5_000, "not JSON"),
        ('{"version": 1, "version": 1}', "stands twice"),
        ("[]", "not a regression file"),
        ('{"format": "another"}', "not a regression file"),
        (changed(version=3), r"version must be in \[1, 2\], got 3"),
        (changed(version=True), "version must be in"),
        (changed(version=None), "version must be in"),
        (changed(chaos_key=7), "chaos_key must be a text"),
        (changed(chaos_key="k" * 501), "chaos_key must be a text of 1 to 500"),
        (changed(machine=[]), "machine must be an object"),
        (changed(machine={"file": "../x.py", "class": "C"}), "file must be the bare name"),
        (changed(machine={"file": "/etc/x.py", "class": "C"}), "file must be the bare name"),
        (changed(machine={"file": "x.py\n", "class": "C"}), "file must be the bare name"),
        (changed(machine={"file": "x.sh", "class": "C"}), "file must be the bare name"),
        (changed(world="../virtual"), "world must be the name of a world"),
        (changed(law={"name": "x"}), "exception must be a text"),
        (changed(story="once"), "story must be a list"),
        (changed(story=[1]), "a line of the story must be a text"),
        (changed(program=None), "a program must be an object"),
        (changed(program={"steps": [{"number": 10**12, "rule": "add"}]}), "number must be"),
        (changed(program={"steps": [{"number": 1, "rule": ["add"]}]}), "rule must be a text"),
        (changed(program={"steps": [{"number": 1, "rule": "a", "eval": "1"}]}), "step 1 has"),
        (changed(versions=[]), "versions must be an object"),
    ],
)
def test_a_text_that_says_no_regression_is_refused_with_a_reason(text: str, complaint: str) -> None:
    """A damaged, foreign or hostile file is told from a sound one, and says what is wrong."""
    with pytest.raises(PlanError, match=complaint):
        from_text(text)


def test_a_program_that_json_cannot_hold_is_refused() -> None:
    """A story is never kept as another one."""
    label = "q" * 501  # reading cuts it

    with pytest.raises(PlanError, match="must be the same when it is read back"):
        to_text(regression(Program(steps=add(1).steps, decisions=(Decision(1, label, 0, 1),))))


def test_a_file_of_the_first_version_is_still_read() -> None:
    """It knows neither the line of the law nor draws."""
    made = json.loads(to_text(regression(add(1))))
    del made["law"]["place"]

    read = from_text(json.dumps(made | {"version": 1}))

    assert regression(add(1)).program == read.program
    assert "" == read.law.place


def test_what_a_rule_drew_is_kept() -> None:
    """Draws are arguments like any other."""
    drawing = Program(
        steps=(
            Step(
                number=1,
                rule="add",
                arguments={"data": Draws((Drawn((1, b"\x00"), "'a'"), Drawn(())))},
            ),
        )
    )

    text = to_text(regression(drawing))

    assert drawing == from_text(text).program
    assert '"draws": [{"choices": [1, {"bytes": "00"}], "shown": "\'a\'"}' in text
