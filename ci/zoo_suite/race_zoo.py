"""Are the races of the zoo found? ``ci/zoo --group concurrency [--json]``.

Every race with every seed, its fixed twin, and plain Hypothesis with trio beside them; exit
code 1 when a target is missed, 2 when an option is wrong.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

from hunt import Hunt, Run, hunt
from tally import Target, tally, targets
from tests.quality.zoo.catalogue import RACES
from tests.quality.zoo.race import Race

SEEDS_A_PROCESS = 5
SEEDS_MAX = 1_000
EXAMPLES_MAX = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Hunt, and print what came of it."""
    options = _options(arguments)
    races = [race for race in RACES if not options.bug or race.name in options.bug]
    result = tally(races, _hunt_all(_hunts(races, options), options.jobs), options.max_examples)
    reached = targets(result)
    result["targets"] = [{"what": t.what, "measured": t.measured, "ok": t.ok} for t in reached]
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        _tell(result, reached)
    return 0 if all(target.ok for target in reached) else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ci/zoo", description=__doc__)
    add = parser.add_argument
    add("--group", choices=["concurrency"], default="concurrency", help="which part of the zoo")
    add("--bug", choices=[race.name for race in RACES], action="append", help="only this race")
    add("--seeds", type=_between(1, SEEDS_MAX), default=20, help="searches a race (20)")
    add(
        "--baseline-seeds",
        type=_between(0, SEEDS_MAX),
        help="searches a race by plain Hypothesis, which are slow (as many as --seeds, at most 5)",
    )
    add(
        "--sound-seeds",
        type=_between(0, SEEDS_MAX),
        default=2,
        help="searches of each fixed twin for a false alarm (2)",
    )
    add("--max-examples", type=_between(1, EXAMPLES_MAX), default=2_000, help="a search (2000)")
    add("--jobs", type=_between(1, 256), default=os.cpu_count() or 1, help="processes at a time")
    add("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.baseline_seeds is None:
        options.baseline_seeds = min(options.seeds, 5)
    return options


def _between(low: int, high: int) -> Callable[[str], int]:
    def integer(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be an integer in [{low}, {high}], got {text!r}")
        return value

    return integer


def _hunts(races: Sequence[Race], options: argparse.Namespace) -> list[Hunt]:
    """All hunts, those that take longest first, so that no core is idle at the end."""
    seeds = {
        "plain": options.baseline_seeds,
        "sound": options.sound_seeds,
        "drawn": options.seeds,
    }
    # A search to the end of its examples is one process; one that finds something is short.
    chunk = {"plain": 1, "sound": 1, "drawn": SEEDS_A_PROCESS}
    return [
        Hunt(
            bug=race.name,
            kind=kind,
            seeds=tuple(range(first, min(first + chunk[kind], count))),
            max_examples=options.max_examples,
        )
        for kind, count in seeds.items()
        for race in sorted(races, key=lambda race: race.plain_finds)
        for first in range(0, count, chunk[kind])
    ]


def _hunt_all(hunts: Sequence[Hunt], jobs: int) -> list[Run]:
    runs: list[Run] = []
    # Spawned, not forked, and one hunt a process: each loads the same modules and no others.
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, maxtasksperchild=1) as pool:
        for done, found in enumerate(pool.imap_unordered(hunt, hunts, chunksize=1), start=1):
            runs += found
            _progress(done, len(hunts))
    return sorted(runs, key=lambda run: (run.bug, run.kind, run.seed))


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        filled = 40 * done // total
        bar = "█" * filled + "·" * (40 - filled)
        end = "\n" if done == total else ""
        print(f"\r{bar} {done}/{total} hunts", end=end, file=sys.stderr, flush=True)


def _tell(result: dict[str, Any], reached: Sequence[Target]) -> None:
    head = ("race", "solved", "median", "max", "shrunk to", "exact", "shrink s", "plain")
    print("{:22} {:>7} {:>7} {:>6}  {:9} {:>6} {:>9}  {}".format(*head))
    for name, bug in result["per_bug"].items():
        plain, (steps, holds) = bug["plain"], bug["smallest"]
        print(
            f"{name:22} {bug['solved']:>3}/{bug['runs']:<3} {bug['examples_median']:>7g} "
            f"{bug['examples_max']:>6}  {steps} + {holds:<5} {bug['shrunk_exact']:>6.0%} "
            f"{bug['shrink_s_median']:>9.2f}  {plain['solved']}/{plain['runs']}"
        )
    for target in reached:
        print(f"{target.what}: {target.measured}  {'ok' if target.ok else 'MISSED'}")


if __name__ == "__main__":
    sys.exit(main())
