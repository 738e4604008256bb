"""Do the laws catch small mistakes? ``ci/mutants [COMPONENT ...] [--seeds 8] [--sample N]``.

Every mutant of a component runs the property files that concern it, once for each seed. The exit
code is 1 when fewer than 95 % are killed with all seeds, 2 when an option, the list of equivalent
mutants or the unchanged component is wrong.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import equivalents
from judged_by import COMPONENTS, module_of
from law_sources import digest_of
from mutant_processes import run_all, run_control
from mutant_report import REQUIRED, Report
from mutant_runs import Task, register_profile
from mutations import Mutant, mutants_of

ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for, print what came of it."""
    options = _options(arguments)
    chosen = {name: _chosen(name, options) for name in options.component or COMPONENTS}
    stale = equivalents.stale({name: _all(name) for name in chosen})
    if stale:
        print(f"equivalent.toml names mutants that do not exist: {stale}", file=sys.stderr)
        return 2
    if options.list:
        for name, mutants in chosen.items():
            print(*(f"{name}:{mutant.line}: {mutant.name}" for mutant in mutants), sep="\n")
        return 0
    _import_what_stays()
    register_profile(options.examples)
    report = Report(options.report, fresh=options.fresh)
    for name, mutants in chosen.items():
        if not _run(name, mutants, options, report):
            return 2
    report.show(list(chosen), as_json=options.json)
    return 0 if report.share_killed(list(chosen)) >= REQUIRED else 1


def _run(name: str, mutants: list[Mutant], options: argparse.Namespace, report: Report) -> bool:
    """Bring one component's part of the report up to date; False if its laws are broken as is."""
    files = tuple(f"properties/{each}.py" for each in options.laws or COMPONENTS[name])
    seeds = tuple(range(options.first_seed, options.first_seed + options.seeds))

    @cache
    def digest(of: frozenset[str] | None) -> str:
        return digest_of(ROOT, _path(name), files if of is None else of, options.examples)

    known = equivalents.of(name)
    report.drop_all_but(name, {each.name for each in _all(name)} - set(known))
    left = [mutant for mutant in mutants if report.needs(name, mutant.name, digest, seeds)]
    if not left:
        return True
    task = Task(files=files, seeds=seeds, thorough=options.thorough, test_cpu_s=options.test_cpu)
    tests = report.control(name, digest(None))
    if tests is None:
        tests, broken = run_control(_all(name), task)
        if broken is not None:
            print(f"{name} as it is, seed {seeds[0]}: {broken} fails", file=sys.stderr)
            return False
        report.keep_control(name, digest(None), tests)
    task = replace(task, tests=tests)
    for done, (mutant, runs) in enumerate(run_all(left, task, options.jobs), start=1):
        report.keep(name, mutant, digest, runs)
        _show_progress(name, done, len(left))
    return True


def _import_what_stays() -> None:
    """Import all that no mutant changes, so that no process has to."""
    for name in (
        "hypothesis.stateful",
        "httpx",
        "trio",
        "sqlalchemy",
        "chaoscheck.server",
        "chaoscheck.stateful.machine",
        "chaoscheck.pytest_plugin",
        "trio.testing",
    ):
        importlib.import_module(name)
    loaded = [name for name in sys.modules if name.startswith("chaoscheck.components.")]
    assert not loaded, f"these would be tested unchanged: {loaded}"


def _all(name: str) -> list[Mutant]:
    return mutants_of(module_of(name), _path(name))


def _path(name: str) -> Path:
    return ROOT / "src" / Path(*module_of(name).split(".")).with_suffix(".py")


def _chosen(name: str, options: argparse.Namespace) -> list[Mutant]:
    """The mutants of a component that are asked for, without those known to be equivalent."""
    known = equivalents.of(name)
    mutants = [mutant for mutant in _all(name) if mutant.name not in known]
    if options.only is not None:
        mutants = [mutant for mutant in mutants if options.only in mutant.name]
    if options.sample is not None:
        mutants = equivalents.sampled(mutants, options.sample, options.sample_seed)
    return mutants


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ci/mutants", description=__doc__)
    parser.add_argument("component", nargs="*", help=f"of {', '.join(COMPONENTS)}; default: all")
    parser.add_argument("--seeds", type=_positive, default=8, help="how many seeds a mutant")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them")
    parser.add_argument("--sample", type=_positive, help="so many mutants a component")
    parser.add_argument("--sample-seed", type=int, default=0, help="which ones")
    parser.add_argument("--only", help="mutants whose name holds this text")
    parser.add_argument("--laws", action="append", help="these property files instead, by name")
    parser.add_argument("--examples", type=_positive, help="examples a property; default as dev")
    parser.add_argument(
        "--test-cpu",
        type=float,
        metavar="SECONDS",
        help="leave out tests that take longer on the unchanged component",
    )
    parser.add_argument("--jobs", type=_positive, default=1, help="mutants at a time")
    parser.add_argument(
        "--thorough", action="store_true", help="run all seeds of a mutant that survived one"
    )
    parser.add_argument(
        "--report", type=Path, default=ROOT / ".mutants.json", help="kept here, and resumed"
    )
    parser.add_argument("--fresh", action="store_true", help="forget what the report holds")
    parser.add_argument("--list", action="store_true", help="name the mutants and run nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.component) - set(COMPONENTS))
    if unknown:
        parser.error(f"no such component: {', '.join(unknown)}; legal: {', '.join(COMPONENTS)}")
    return options


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1_000_000:
        raise argparse.ArgumentTypeError(f"must be in [1, 1000000], got {number}")
    return number


def _show_progress(name: str, done: int, of: int) -> None:
    if sys.stderr.isatty():
        print(
            f"\r{name}: {done}/{of}   ", end="\n" if done == of else "", file=sys.stderr, flush=True
        )


if __name__ == "__main__":
    sys.exit(main())
