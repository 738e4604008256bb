"""Strategies for programs: any that a machine could have left behind."""

from __future__ import annotations

from hypothesis import strategies as st

from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.hold import SOURCES, Hold
from chaoscheck.plan.program import Argument, Decision, Drawn, Literal, Program, Reference, Step

__all__ = ["arguments", "programs"]

NAMES = st.sampled_from(["fetch", "give_up", "ünïcode", "x" * 60])
CHOICES = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=8)
)
FAULTS = st.sampled_from(
    [faults.status_429(retry_after_s=0.5), faults.reset_mid_body(), faults.slow_response()]
)
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), FAULTS)


def arguments(earlier: list[int]) -> st.SearchStrategy[Argument]:
    """A plain value, a reference to an earlier step, or what a strategy makes of choices."""
    made: list[st.SearchStrategy[Argument]] = [
        st.builds(Literal, PLAIN),
        st.builds(Drawn, st.lists(CHOICES, max_size=4).map(tuple), st.text(max_size=8)),
    ]
    if earlier:
        made.append(st.builds(Reference, st.sampled_from(earlier), st.integers(0, 3)))
    return st.one_of(made)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Steps with rising or shuffled numbers, decisions and holds that speak of them."""
    numbers = draw(st.lists(st.integers(1, 99), unique=True, max_size=6))
    steps = [
        Step(
            number=number,
            rule=draw(NAMES),
            arguments=draw(st.dictionaries(NAMES, arguments(numbers[:place]), max_size=2)),
        )
        for place, number in enumerate(numbers)
    ]
    at = st.sampled_from([0, *numbers])
    decision = st.builds(
        Decision, at, st.sampled_from(["fault", "latency"]), st.integers(0, 3), st.integers(1, 9)
    )
    decided = draw(st.lists(decision, max_size=4))
    places = {number: place for place, number in enumerate([0, *numbers])}
    task = st.builds(
        "{}@{}{}".format,
        NAMES,
        st.sampled_from(numbers or [7]),
        st.sampled_from(["", ".1", "/child"]),
    )
    hold = st.builds(
        Hold,
        task=task,
        at=st.integers(0, 5),
        until=task,
        ran=st.integers(1, 5),
        late=st.booleans(),
        source=st.sampled_from(["", *SOURCES]),
    )
    return Program(
        steps=tuple(steps),
        decisions=tuple(sorted(decided, key=lambda each: places[each.step])),
        holds=tuple(draw(st.lists(hold, max_size=3))) if numbers else (),
    )
