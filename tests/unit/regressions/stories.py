"""A machine that counts too far, and the stories of it that the tests keep."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from chaoscheck import ChaosMachine, faults, invariant, rule
from chaoscheck.plan.program import Literal, Program, Step
from chaoscheck.plan.program_text import to_blob
from chaoscheck.regressions.law import Law
from chaoscheck.regressions.regression import Regression
from chaoscheck.stateful.programs.minimal import Minimal, tell


class Counter(ChaosMachine):
    """It must stay below its limit, and no step may be negative."""

    limit = 3

    def setup(self) -> None:
        """Nothing is counted yet."""
        self.total = 0

    @rule(by=st.integers(-1, 9))
    def add(self, by: int) -> None:
        """Count."""
        if by < 0:
            raise ValueError(f"cannot count {by} in /tmp/somewhere/counter.py")
        self.total += by

    @rule()
    def double(self) -> None:
        """Count once more what was counted."""
        self.total *= 2

    @invariant()
    def stays_small(self) -> None:
        """The law."""
        assert self.total < self.limit, f"counted {self.total}"


class Mended(Counter):
    """The same, without a bug that ``add`` alone could show."""

    chaos_key = "Counter"
    limit = 10**9


class WithoutAdd(ChaosMachine):
    """What became of the counter when its rule was renamed."""

    chaos_key = "Counter"

    @rule()
    def count(self) -> None:
        """Another rule."""


def add(*numbers: int, of: str = "add") -> Program:
    """A program that adds these numbers."""
    return Program(
        steps=tuple(
            Step(number=place, rule=of, arguments={"by": Literal(number)})
            for place, number in enumerate(numbers, start=1)
        )
    )


def regression(program: Program, **changes: Any) -> Regression:
    """A story of the counter."""
    plain: dict[str, Any] = {
        "chaos_key": "Counter",
        "file": "test_counter.py",
        "machine": "Counter",
        "world": "virtual",
        "law": Law(name="stays_small", exception="AssertionError", message="counted 9"),
        "story": ("state = Counter()", "state.add(by=9)"),
        "digest": "00ff",
        "versions": {"chaoscheck": "0.1.0"},
    }
    return Regression(program=program, **(plain | changes))


def minimal(machine: Any, program: Program) -> Minimal:
    """What a search that ended with this program would hand to the keeper."""
    told = tell(machine, program)
    assert told is not None
    return Minimal(program=program, replay=told, blob=to_blob(program), replays=0, seconds=0.0)


FAULTY = Program(
    steps=(
        Step(number=1, rule="next_fault", arguments={"fault": Literal(faults.status_429())}),
        Step(number=2, rule="add", arguments={"by": Literal(float("nan"))}),
        Step(number=3, rule="add", arguments={"by": Literal(b"\x00\xff")}),
    )
)
