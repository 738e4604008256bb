"""From a failure that Hypothesis found to the story that the user reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from chaoscheck.plan.program import Program
from chaoscheck.plan.program_text import to_blob
from chaoscheck.stateful.failures import Failure
from chaoscheck.stateful.programs.fair_orders import orders_told
from chaoscheck.stateful.programs.replaying import Replay, replay
from chaoscheck.stateful.shrinking.domain_pass import Budget, shrink
from chaoscheck.stateful.shrinking.story_size import size_of

# Theory of operation. Hypothesis shrinks choices and knows nothing of schedules; the domain pass
# knows what a story is. So the pass runs on the first program that failed, as it was found, and
# on the one to which Hypothesis shrank it, and the smaller one is told. A program is told by
# replaying it once more: what the user reads is what just happened.

__all__ = ["Minimal", "minimal_of", "tell"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimal:
    """The shortest program of a bug, its replay told aloud, and the text that replays it.

    ``replays`` and ``seconds`` (CPU) are what the domain pass cost.
    """

    program: Program
    replay: Replay
    blob: str
    replays: int
    seconds: float


def minimal_of(
    machine: Any,
    failure: Failure,
    *,
    budget: Budget | None = None,
    progress: Callable[[Program, int], object] | None = None,
) -> Minimal | None:
    """The shortest story of ``failure``; None if its programs do not fail without Hypothesis."""
    stories = [failure.last] if failure.last is failure.first else [failure.last, failure.first]
    found = []
    tried: set[object] = set()
    for story in stories:
        if story.program is None:
            continue
        shrunk = shrink(machine, story.program, budget=budget, progress=progress, tried=tried)
        if shrunk is not None and shrunk.replay.origin == failure.origin:
            found.append(shrunk)
    if not found:
        return None
    best = min(found, key=lambda shrunk: size_of(machine, shrunk.replay))
    told = tell(machine, best.program)
    if told.error is None:
        return None
    return Minimal(
        program=best.program,
        replay=told,
        blob=to_blob(best.program),
        replays=sum(shrunk.replays for shrunk in found),
        seconds=sum(shrunk.seconds for shrunk in found),
    )


def tell(machine: Any, program: Program) -> Replay:
    """Replay ``program`` and listen; if it fails, see whether plain trio shows it."""
    run = replay(machine, program, aloud=True)
    return run if run.error is None else replace(run, orders=orders_told(machine, run))
