"""What the runs of all hunts come to: rates with their intervals, medians, and the targets."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hunt import Run
from tests.quality.zoo.race import Race

__all__ = ["Target", "tally", "targets", "wilson"]

Z_95 = 1.959964  # the standard normal quantile of a two-sided interval of 95 %

SOLVE_RATE_MIN = 0.95
EXAMPLES_MEDIAN_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A sentence that must be true, and what was measured."""

    what: str
    measured: object
    ok: bool


def wilson(solved: int, runs: int) -> tuple[float, float]:
    """The interval of 95 % for a rate (Wilson 1927); (0, 1) of no runs at all."""
    if runs == 0:
        return 0.0, 1.0
    rate, spread = solved / runs, Z_95**2 / runs
    middle = (rate + spread / 2) / (1 + spread)
    half = Z_95 / (1 + spread) * math.sqrt(rate * (1 - rate) / runs + spread / (4 * runs))
    return max(0.0, middle - half), min(1.0, middle + half)


def tally(races: Sequence[Race], runs: Iterable[Run], max_examples: int) -> dict[str, Any]:
    """The object that ``ci/zoo --json`` prints. Examples count at most ``max_examples`` a run."""
    runs = list(runs)
    per_bug = {race.name: _of_race(race, runs, max_examples) for race in races}
    drawn = [run for run in runs if run.kind == "drawn"]
    plain = [run for run in runs if run.kind == "plain"]
    shrunk = [run.shrink_s for run in drawn if run.shrink_s is not None]
    worst = min(
        per_bug,
        key=lambda name: (per_bug[name]["solve_rate"], -_examples(per_bug[name])),
        default="",
    )
    return {
        "group": "concurrency",
        "max_examples": max_examples,
        "bugs": len(races),
        "runs": len(drawn),
        **_rates(drawn),
        "worst_bug": worst,
        "false_alarms": sum(run.kind == "sound" and run.examples is not None for run in runs),
        "sound_runs": sum(run.kind == "sound" for run in runs),
        "shrunk_exact": _mean(bug["shrunk_exact"] for bug in per_bug.values()),
        "shrink_s_median": _median(shrunk),
        "baselines": {"plain": {"runs": len(plain), **_rates(plain)}},
        "per_bug": per_bug,
    }


def targets(result: dict[str, Any]) -> list[Target]:
    """What must be reached, and whether it was."""
    rate, alarms, sound = result["solve_rate"], result["false_alarms"], result["sound_runs"]
    slow = {
        name: bug["examples_median"]
        for name, bug in result["per_bug"].items()
        if bug["examples_median"] > EXAMPLES_MEDIAN_MAX
    }
    wrong = [
        name
        for name, bug in result["per_bug"].items()
        if bug["plain"]["runs"] and bug["plain_finds"] != bool(bug["plain"]["solved"])
    ]
    return [
        Target(what=f"solve rate >= {SOLVE_RATE_MIN}", measured=rate, ok=rate >= SOLVE_RATE_MIN),
        Target(
            what=f"median examples <= {EXAMPLES_MEDIAN_MAX} for each bug; above it",
            measured=slow,
            ok=not slow,
        ),
        Target(
            what=f"false alarms = 0 in {sound} searches, at least one",
            measured=alarms,
            ok=alarms == 0 and sound > 0,
        ),
        Target(what="marks of what plain finds; wrong are", measured=wrong, ok=not wrong),
    ]


def _of_race(race: Race, runs: Sequence[Run], max_examples: int) -> dict[str, Any]:
    drawn = [run for run in runs if run.bug == race.name and run.kind == "drawn"]
    plain = [run for run in runs if run.bug == race.name and run.kind == "plain"]
    sound = [run for run in runs if run.bug == race.name and run.kind == "sound"]
    smallest = (race.smallest_steps, race.smallest_holds)
    sizes = [(run.steps, run.holds) for run in drawn if run.steps is not None]
    alarms = [run.story for run in sound if run.examples is not None]
    return {
        "what": race.what,
        "runs": len(drawn),
        **_rates(drawn),
        **_effort(drawn, max_examples),
        "other_law": [run.story for run in drawn if run.examples is not None and not run.law][:1],
        "smallest": list(smallest),
        "shrunk_exact": _mean(size == smallest for size in sizes),
        "longest": _longest(drawn, sum(smallest)),
        "shrink_s_median": _median(run.shrink_s for run in drawn if run.shrink_s is not None),
        "plain_finds": race.plain_finds,
        "plain": {"runs": len(plain), **_rates(plain), **_effort(plain, max_examples)},
        "false_alarms": alarms,
    }


def _rates(runs: Sequence[Run]) -> dict[str, Any]:
    solved = sum(run.law for run in runs)
    low, high = wilson(solved, len(runs))
    return {
        "solved": solved,
        "solve_rate": round(solved / len(runs), 4) if runs else 0.0,
        "solve_rate_interval": [round(low, 4), round(high, 4)],
    }


def _effort(runs: Sequence[Run], max_examples: int) -> dict[str, Any]:
    """A run that found nothing counts as one example more than it had."""
    examples = [run.examples if run.law and run.examples else max_examples + 1 for run in runs]
    return {
        "examples_median": _median(examples),
        "examples_max": max(examples, default=0),
        "search_s_median": _median(run.search_s for run in runs),
    }


def _examples(bug: dict[str, Any]) -> float:
    return float(bug["examples_median"])


def _longest(runs: Sequence[Run], smallest: int) -> str:
    """The longest story, if any is longer than the smallest."""
    lines, story = max(
        (((run.steps or 0) + (run.holds or 0), run.story) for run in runs), default=(0, "")
    )
    return story if lines > smallest else ""


def _median(values: Iterable[float]) -> float:
    values = list(values)
    return round(statistics.median(values), 4) if values else 0.0


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return round(statistics.fmean(values), 4) if values else 0.0
