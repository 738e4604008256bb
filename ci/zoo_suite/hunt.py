"""One hunt: searching one machine of one race with some seeds, in a process of its own.

What Hypothesis generates from a seed depends on the modules that are loaded, since it borrows
their constants. A fresh process per hunt, which loads the whole zoo first, pins them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from chaoscheck import find_counterexample
from chaoscheck.plan.program import Program
from plain import plain
from tests.quality.planted_bug import names_in_the_traceback
from tests.quality.stopwatch import Stopwatch
from tests.quality.zoo.catalogue import RACES
from tests.quality.zoo.race import Race

__all__ = ["KINDS", "Hunt", "Run", "hunt"]

# drawn: the race as we search it. plain: the same under plain Hypothesis with trio. sound: the
# fixed twin, in which nothing must be found.
KINDS = ("drawn", "plain", "sound")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunt:
    """Search the race ``bug`` in one way, once a seed, with at most ``max_examples`` each."""

    bug: str
    kind: str
    seeds: tuple[int, ...]
    max_examples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one seed came to. Times are CPU seconds.

    ``examples`` until one failed, None if none did. ``law`` says whether the race's own law
    fell. ``shrink_s`` is all that came after the first failure. ``steps`` and ``holds`` are
    those of the shrunk story; both are None where nothing was shrunk.
    """

    bug: str
    kind: str
    seed: int
    examples: int | None
    law: bool
    search_s: float
    shrink_s: float | None = None
    steps: int | None = None
    holds: int | None = None
    story: str = ""


def hunt(task: Hunt) -> list[Run]:
    """One run a seed."""
    race = next(race for race in RACES if race.name == task.bug)
    return [_run(race, task, seed) for seed in task.seeds]


def _run(race: Race, task: Hunt, seed: int) -> Run:
    machine = race.sound if task.kind == "sound" else race.machine
    if task.kind == "plain":
        machine = plain(machine)
    machine._failures = stopwatch = Stopwatch()
    begin_s = time.process_time()
    found = find_counterexample(
        machine, max_examples=task.max_examples, seed=seed, shrink=task.kind == "drawn"
    )
    end_s = time.process_time()
    first_s = end_s if stopwatch.first_s is None else stopwatch.first_s
    about: dict[str, Any] = {"bug": race.name, "kind": task.kind, "seed": seed}
    if found is None:
        return Run(**about, examples=None, law=False, search_s=first_s - begin_s)
    about |= {"examples": found.examples, "search_s": first_s - begin_s, "story": str(found)}
    about["law"] = race.law in names_in_the_traceback(found.error)
    if task.kind == "drawn":
        about |= {"shrink_s": end_s - first_s, **_size(found.program, len(found.steps))}
    return Run(**about)


def _size(program: Program | None, lines: int) -> dict[str, int]:
    """Steps and holds; a story without a program has no holds but those that lengthen it."""
    if program is None:
        return {"steps": lines, "holds": 0}
    return {"steps": len(program.steps), "holds": len(program.holds)}
