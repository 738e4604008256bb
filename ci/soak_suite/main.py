"""Long comparisons: ``ci/soak [--histories N] [--programs N] [--requests N] [--seed S] [--json]``.

Every history is judged by the linearizability checker and by brute force; every broken twin of
the checker must be caught by the same comparison. Every random trio program runs in a world under
a fair schedule and by plain trio in the same batches. Fuzzed requests go to ``chaoscheck serve``
in every mode; then it is printed how long ``/health`` waits while another client asks for what
costs most. The exit code is 1 at a difference, an uncaught twin, or a server that breaks.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from chaoscheck.checks.model import Model
from chaoscheck.history.operations import OperationRecord
from chaoscheck.world.choices import SeededChoices
from chaoscheck.world.fair_schedules import FAIR_SCHEDULES
from ci.soak_suite.fuzzed_requests import soak
from ci.soak_suite.responsiveness import GOAL_MS, worst_health_ms
from tests.unit.checks.broken_checkers import BROKEN_CHECKERS
from tests.unit.checks.brute_force import difference, has_linearization
from tests.unit.checks.small_histories import MODELS, random_history
from tests.unit.world.trio_oracle import certified, run_in_world
from tests.unit.world.trio_programs import random_programs

HISTORIES = 100_000
PROGRAMS = 20_000
REQUESTS = 300_000
_PROGRESS_EVERY = 2_000
_TWIN_HISTORIES_MAX = 20_000
_HANGS_MS = 1_000

Case = tuple[tuple[OperationRecord, ...], Model[Any]]


def cases(seed: int, count: int) -> Iterator[Case]:
    """The histories of ``seed``, each with its model; each is a function of seed and number."""
    source = SeededChoices(seed)
    for number in range(count):
        model = MODELS[number % len(MODELS)]
        yield random_history(source.derive("history", number), model), model


def main() -> int:
    """Compare, print one line of numbers, and one for each difference."""
    parser = argparse.ArgumentParser(prog="ci/soak", description=__doc__)
    parser.add_argument("--histories", type=_positive, default=HISTORIES, help="how many")
    parser.add_argument("--programs", type=_positive, default=PROGRAMS, help="trio programs")
    parser.add_argument("--requests", type=_positive, default=REQUESTS, help="fuzzed ones")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    differences, linearizable = [], 0
    for number, (operations, model) in enumerate(cases(options.seed, options.histories)):
        apart = difference(operations, model)
        linearizable += apart is None and has_linearization(operations, model)
        if apart is not None:
            differences.append(f"history {number} of seed {options.seed} ({model.name}): {apart}")
        _show_progress(number + 1, options.histories)
    differences += _unlike_trio(options.seed, options.programs)
    soaked = soak(options.seed, options.requests, _show_progress)
    differences += [f"server, {line}" for line in soaked.wrong]
    waits = worst_health_ms()
    differences += [
        f"server, /health took {wait:.0f} ms beside {name}"
        for name, wait in waits.items()
        if wait >= _HANGS_MS
    ]
    caught = {name: _caught_at(name, options.seed) for name in BROKEN_CHECKERS}
    result = {
        "histories": options.histories,
        "programs": options.programs,
        "requests": options.requests,
        "slowest_request_s": soaked.slowest_s,
        "memory_growth": soaked.growth,
        "sigterm_s": soaked.stopped_s,
        "worst_health_ms": waits,
        "seed": options.seed,
        "linearizable": linearizable,
        "differences": differences,
        "twins_caught_at": caught,
    }
    missed = [name for name, at in caught.items() if at is None]
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        _print_text(options.seed, options.histories, linearizable, differences)
        print(f"{options.programs} trio programs compared with plain trio")
        print(
            f"{options.requests} fuzzed requests: slowest {soaked.slowest_s:.2f} s, memory "
            f"{soaked.growth:+.1%}, SIGTERM {soaked.stopped_s:.2f} s"
        )
        for name, wait in waits.items():
            print(f"worst /health beside {name}: {wait:.0f} ms (goal {GOAL_MS})")
        print(f"{len(caught) - len(missed)} of {len(caught)} broken checkers caught", *missed)
    return 1 if differences or missed else 0


def _unlike_trio(seed: int, count: int) -> list[str]:
    """What plain trio does otherwise than a world in the same batches, program by program."""
    schedules = list(FAIR_SCHEDULES.items())
    found = []
    for number in range(count):
        name, schedule = schedules[number % len(schedules)]
        programs = random_programs(seed * PROGRAMS + number)
        line = schedule(SeededChoices(seed * PROGRAMS + number))
        apart = certified(programs, run_in_world(programs, line))
        if apart:
            found.append(f"trio program {number} of seed {seed} ({name}): {apart}")
        _show_progress(number + 1, count)
    return found


def _caught_at(name: str, seed: int) -> int | None:
    """How many histories it took to see that the twin is broken; None: it was not seen."""
    checker = BROKEN_CHECKERS[name]
    for number, (operations, model) in enumerate(cases(seed, _TWIN_HISTORIES_MAX), start=1):
        if checker(operations, model) != has_linearization(operations, model):
            return number
    return None


def _print_text(seed: int, histories: int, linearizable: int, differences: list[str]) -> None:
    print(
        f"{histories} histories of seed {seed}: {linearizable} linearizable, "
        f"{histories - linearizable - len(differences)} not, {len(differences)} differences"
    )
    for line in differences[:20]:
        print(f"  {line}")


def _show_progress(done: int, of: int) -> None:
    if sys.stderr.isatty() and (done % _PROGRESS_EVERY == 0 or done == of):
        print(f"\r{done}/{of}", end="\n" if done == of else "", file=sys.stderr, flush=True)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
