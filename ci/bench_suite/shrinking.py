"""How short the stories of all planted bugs get, and what that costs: one seed each.

The domain pass alone works on the program that failed first; what a user gets is the shorter of
that and of what Hypothesis and the pass make together. CPU seconds, from the first failure on.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from chaoscheck import find_counterexample
from chaoscheck.stateful.shrinking.domain_pass import Shrunk, shrink
from metric import Metric
from tests.quality.one_fault_bug import OneFaultBug
from tests.quality.planted_bug import names_in_the_traceback
from tests.quality.stopwatch import Stopwatch
from tests.quality.test_planted_bugs import PLANTED_BUGS
from tests.quality.zoo.catalogue import RACES

__all__ = ["shrinking_metrics"]

SEED = 0
RACE_EXAMPLES_MAX = 2_000
EXACT_MIN = 0.95
RATIO_MAX = 1.5
PASS_MEDIAN_S_MAX = 0.2
PASS_95TH_S_MAX = 1.0
WHOLE_MEDIAN_S_MAX = 2.0
GATE = "a_gate_that_waits_for_a_full_pool_lets_everybody_through"
PAST_ITS_DEADLINE = "past_its_deadline_a_query_lives_only_in_an_attempt"
# A bug may break several laws, and the story of one is longer than that of another. A failure is
# shrunk to the shortest story of its own law; where that is not the shortest of all, it stands
# here: the shortest that our own searches came upon (five seeds by the pass alone, two with
# Hypothesis), which proves no minimum; the share of all laws is measured without this table.
SMALLEST_BY_LAW: dict[tuple[str, str], int] = {
    ("reorder-back-pressure-off-by-one", "what_overlaps_is_as_good_as_one_by_one"): 7,
    ("reorder-check-then-act", "tickets_follow_the_order_of_asking"): 4,
    (
        "reorder-cancelled-reservation-keeps-its-ticket",
        "tickets_follow_the_order_of_asking",
    ): 4,
    ("reorder-cancelled-reservation-keeps-its-ticket", "nobody_waits_while_there_is_room"): 5,
    ("pool-works-one-by-one", "the_log_of_attempts_is_lawful"): 3,
    ("pool-loses-a-slot", GATE): 6,
    ("pool-cancelled-sleeper-keeps-a-slot", GATE): 6,
    ("pool-mixes-up-results", "each_query_has_one_result_in_its_place"): 3,
    ("pool-retries-at-the-deadline", PAST_ITS_DEADLINE): 4,
    ("pool-sleeps-past-the-deadline", PAST_ITS_DEADLINE): 3,
    ("pipeline-ignores-retry-after", "the_pool_keeps_its_laws"): 4,
    ("pipeline-evicted-row-comes-out", "rows_leave_in_order_and_once"): 4,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """A machine that fails, and the lines of its shortest story."""

    name: str
    machine: type[Any]
    examples_max: int
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The stories of one bug: lines ÷ the fewest known, by the pass alone and all in all.

    The fewest are those of the law that fell, in ``whole_of_all`` those of any law.
    """

    pass_ratio: float
    pass_s: float
    whole_ratio: float
    whole_of_all: float
    whole_s: float


def shrinking_metrics() -> Iterator[Metric]:
    """Every race of the zoo and every planted bug."""
    told = [each for each in map(_told, _bugs()) if each is not None]
    yield _at_least("shrinking: the pass alone, exact", _exact([t.pass_ratio for t in told]))
    yield _at_least("shrinking: with Hypothesis, exact", _exact([t.whole_ratio for t in told]))
    of_all = _exact([t.whole_of_all for t in told])
    yield _at_least("shrinking: with Hypothesis, exact of all laws", of_all)
    longest = max(t.whole_ratio for t in told)
    yield _at_most("shrinking: longest, to the shortest", longest, "x", RATIO_MAX)
    alone_s = [t.pass_s for t in told]
    median_s, last_s = statistics.median(alone_s), statistics.quantiles(alone_s, n=20)[-1]
    yield _at_most("shrinking: the pass alone, median", median_s, "s", PASS_MEDIAN_S_MAX)
    yield _at_most("shrinking: the pass alone, 95th percentile", last_s, "s", PASS_95TH_S_MAX)
    whole_s = statistics.median(t.whole_s for t in told)
    yield _at_most("shrinking: with Hypothesis, median", whole_s, "s", WHOLE_MEDIAN_S_MAX)


def _bugs() -> list[Bug]:
    races = [
        Bug(
            name=race.name,
            machine=race.machine,
            examples_max=RACE_EXAMPLES_MAX,
            lines=race.smallest_lines,
        )
        for race in RACES
    ]
    planted = [
        Bug(
            name=bug.name,
            machine=bug.machine,
            examples_max=bug.budget,
            lines=bug.smallest_known_steps,
        )
        for bug in PLANTED_BUGS
        if not isinstance(bug, OneFaultBug)  # two or three lines each: they measure nothing more
    ]
    return [*races, *planted]


def _told(bug: Bug) -> Told | None:
    """Search ``bug`` once; None if it is not found, which is another group's business."""
    bug.machine._failures = stopwatch = Stopwatch()
    found = find_counterexample(bug.machine, max_examples=bug.examples_max, seed=SEED)
    end_s = time.process_time()
    failure = None if found is None else stopwatch.of(found.error)
    if found is None or found.program is None or failure is None or stopwatch.first_s is None:
        return None
    alone = None if failure.first.program is None else shrink(bug.machine, failure.first.program)
    if alone is None:
        return None
    return Told(
        pass_ratio=len(alone.program) / _fewest(bug, _error_of(alone)),
        pass_s=alone.seconds,
        whole_ratio=len(found.program) / _fewest(bug, found.error),
        whole_of_all=len(found.program) / bug.lines,
        whole_s=end_s - stopwatch.first_s,
    )


def _error_of(shrunk: Shrunk) -> BaseException:
    error = shrunk.replay.error
    assert error is not None
    return error


def _fewest(bug: Bug, error: BaseException) -> int:
    """The lines of the shortest story in which ``bug`` raises ``error``."""
    known = [SMALLEST_BY_LAW.get((bug.name, law)) for law in names_in_the_traceback(error)]
    return max((lines for lines in known if lines is not None), default=bug.lines)


def _exact(ratios: Sequence[float]) -> float:
    return sum(ratio <= 1 for ratio in ratios) / len(ratios)


def _at_least(name: str, value: float) -> Metric:
    return Metric(name=name, value=value, unit="", target=EXACT_MIN, at_least=True)


def _at_most(name: str, value: float, unit: str, target: float) -> Metric:
    return Metric(name=name, value=value, unit=unit, target=target, at_least=False)
