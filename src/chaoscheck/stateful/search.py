"""Search a machine for a counterexample and return it as a value instead of failing a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase
from hypothesis import seed as seeded
from hypothesis import settings as Settings
from hypothesis.reporting import with_reporter
from hypothesis.stateful import run_state_machine_as_test

__all__ = ["Counterexample", "find_counterexample"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterexample:
    """A minimal failing example: its printed steps, what it raised, and the choices as a blob.

    ``ending`` is empty unless it failed after its last step, once everything was healed.
    """

    steps: tuple[str, ...]
    ending: tuple[str, ...]
    error: BaseException
    blob: str

    def __str__(self) -> str:
        lines = (*self.steps, *self.ending, f"→ {type(self.error).__name__}: {self.error}")
        return "\n".join(lines)


def find_counterexample(
    machine: Any, *, max_examples: int, seed: int = 0, shrink: bool = True
) -> Counterexample | None:
    """The minimal counterexample that ``max_examples`` examples from ``seed`` lead to, or None.

    Nothing is printed and no database is read or written.
    """
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
    machine.last_failure = None
    searched = seeded(seed)(machine)
    try:
        with with_reporter(_silent):
            run_state_machine_as_test(searched, settings=settings)
    except Exception as error:
        story = machine.last_failure
        if story is None:
            raise
        return Counterexample(
            steps=tuple(story.steps), ending=tuple(story.ending), error=error, blob=story.blob
        )
    finally:
        del machine._hypothesis_internal_use_seed
    return None


def _silent(text: object) -> None:
    """Hypothesis's report goes nowhere: the counterexample carries it."""
