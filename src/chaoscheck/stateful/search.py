"""Search a machine for a counterexample and return it as a value instead of failing a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase
from hypothesis import settings as Settings
from hypothesis.reporting import with_reporter

from chaoscheck.plan.program import Program
from chaoscheck.stateful.asserts import require_asserts
from chaoscheck.stateful.error_kinds import kind_of
from chaoscheck.stateful.failures import Failure
from chaoscheck.stateful.hypothesis_run import run_hypothesis
from chaoscheck.stateful.programs.minimal import Minimal, minimal_of

__all__ = ["Counterexample", "find_counterexample"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterexample:
    """A minimal failing example: its printed steps, what it raised, and what replays it.

    ``ending`` is empty unless it failed after its last step, once everything was healed.
    ``steps`` hold a line for each hold of the schedule as well; ``program`` is all of it as a
    value, None where it does not replay without Hypothesis. ``examples`` is how many examples
    ran until one failed, ``shrink_s`` the CPU seconds of the domain pass.
    """

    steps: tuple[str, ...]
    ending: tuple[str, ...]
    error: BaseException
    blob: str
    program: Program | None
    examples: int
    shrink_s: float = 0.0

    @property
    def holds(self) -> tuple[str, ...]:
        """Who had to wait for whom, in words."""
        return () if self.program is None else tuple(map(str, self.program.holds))

    def __str__(self) -> str:
        lines = (*self.steps, *self.ending, f"→ {type(self.error).__name__}: {self.error}")
        return "\n".join(lines)


def find_counterexample(
    machine: Any, *, max_examples: int, seed: int = 0, shrink: bool = True
) -> Counterexample | None:
    """The minimal counterexample that ``max_examples`` examples from ``seed`` lead to, or None.

    Nothing is printed and no database is read or written. A mistake in the machine (a PlanError,
    a WorldError) is no counterexample: it is raised, as is what skips a test.
    """
    require_asserts()
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    settings = Settings(
        max_examples=max_examples,
        database=None,
        deadline=None,  # virtual time stands still while Python is slow
        phases=phases,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    machine._failures.clear()
    machine._tally.reset()
    try:
        with with_reporter(_silent):
            run_hypothesis(machine, settings, seed=seed)
    except BaseException as error:
        failure = machine._failures.of(error)
        if failure is None or kind_of(error) != "failure":
            raise
        minimal = minimal_of(machine, failure) if shrink else None
        return _as_told(failure, error) if minimal is None else _as_replayed(failure, minimal)
    return None


def _as_told(failure: Failure, error: BaseException) -> Counterexample:
    story = failure.last
    return Counterexample(
        steps=tuple(story.steps),
        ending=tuple(story.ending),
        error=error,
        blob=story.blob,
        program=story.program,
        examples=failure.examples,
    )


def _as_replayed(failure: Failure, minimal: Minimal) -> Counterexample:
    run = minimal.replay
    assert run.error is not None
    return Counterexample(
        steps=tuple(run.story.steps),
        ending=tuple(run.story.ending),
        error=run.error,
        blob=minimal.blob,
        program=minimal.program,
        examples=failure.examples,
        shrink_s=minimal.seconds,
    )


def _silent(text: object) -> None:
    """Hypothesis's report goes nowhere: the counterexample carries it."""
