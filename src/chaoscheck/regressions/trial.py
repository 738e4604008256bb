"""What a kept story does today: it fails, it passes, or it cannot be told whole any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from chaoscheck.errors import PlanError
from chaoscheck.plan.program import Program
from chaoscheck.regressions.regression import Regression
from chaoscheck.stateful.asserts import require_asserts
from chaoscheck.stateful.chaos_rules import NEXT_FAULT
from chaoscheck.stateful.programs.replaying import Replay, replay
from chaoscheck.stateful.running import report_of
from chaoscheck.stateful.worlds import WORLDS, choose_world, chosen_world

__all__ = ["Trial", "gone_steps", "require_passes", "running_in", "tried", "world_name"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The replay of a story. ``reasons`` say which steps were left out, and why.

    *fails*: something breaks, whatever was left out. *stale*: nothing breaks, but not all of the
    story was told. *passes*: all of it was, and nothing breaks.
    """

    run: Replay
    reasons: tuple[str, ...]

    @property
    def status(self) -> Literal["fails", "passes", "stale"]:
        """How it came out."""
        if self.run.error is not None:
            return "fails"
        return "stale" if self.reasons else "passes"


def tried(
    machine: Any, regression: Regression, *, world: str | None = None, aloud: bool = False
) -> Trial:
    """Replay a story on its machine, in the world in which it was found unless told otherwise.

    PlanError for a world that is unknown here, and under python -O.
    """
    __tracebackhide__ = True
    require_asserts()
    with running_in(world or regression.world):
        run = replay(machine, regression.program, aloud=aloud)
    reasons = [f"step {number}: {why}" for number, why in run.skipped.items()]
    if run.skip is not None:
        reasons.append(f"the test skips: {run.skip}")
    return Trial(run=run, reasons=tuple(reasons))


def gone_steps(machine: Any, program: Program) -> dict[int, str]:
    """The steps that the machine can never take again, by number: their rules are no more."""
    state = machine.setup_state()
    rules = {rule.function.__name__: rule for rule in (*state.rules, *state.initializers)}
    gone = {}
    for step in program.steps:
        rule = rules.get(step.rule)
        if rule is None and step.rule != NEXT_FAULT:
            gone[step.number] = f"there is no rule {step.rule!r} now"
        elif rule is not None and set(rule.arguments) != set(step.arguments):
            gone[step.number] = f"{step.rule} has other arguments now"
    return gone


def require_passes(machine: Any, program: Program, *, world: str = "virtual") -> None:
    """Raise what ``program`` raises on ``machine``, with its story; what exported tests call."""
    __tracebackhide__ = True
    require_asserts()
    with running_in(world):
        run = replay(machine, program, aloud=True)
    if run.error is None:
        return
    for line in report_of(run):
        run.error.add_note(line)
    raise run.error


@contextmanager
def running_in(world: str) -> Iterator[None]:
    """Machines run in this kind of world meanwhile; PlanError for an unknown one."""
    before = world_name()
    choose_world(world)
    try:
        yield
    finally:
        choose_world(before)


def world_name() -> str:
    """The kind of world that machines run in now."""
    chosen = chosen_world()
    for name, kind in WORLDS.items():
        if kind is chosen:
            return name
    raise PlanError(f"{chosen!r} has no name among {', '.join(WORLDS)}")
