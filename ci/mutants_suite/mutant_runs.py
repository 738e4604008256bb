"""Runs laws against mutants: property files are collected once, then every mutant has its forks.

A change within a function is made in the fork of its seed, by giving the live function the changed
code; one of what runs at import has a process that imports the changed module. A seed's process
ends at the first example that fails: nothing is shrunk, kept or printed.
"""

from __future__ import annotations

import gc
import json
import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import hypothesis.core
import pytest
from hypothesis import Phase, is_hypothesis_test, settings
from hypothesis.internal.conjecture.data import ConjectureData

from mutant_code import MutantFinder, is_imported, live_function, swap_code, watch_statements
from mutant_limits import limit_memory, limit_time, used_cpu_s, was_out_of_time
from mutations import Mutant

__all__ = [
    "PROFILE",
    "Control",
    "Keep",
    "SeedRun",
    "Task",
    "control_of",
    "register_profile",
    "run_imported",
    "run_swapped",
]

Result = Literal["killed", "survived", "timed_out"]

PROFILE = "mutants"
_KILLED = 42  # the exit code of a process in which a law fell
# What this process has imported before pytest began keeps its plain assertions.
_NO_REWRITE = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A test run on the unchanged component: CPU seconds, and lines of statements it reached."""

    cpu_s: float
    reached: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """How mutants are run: property files, seeds, and what is known of the files' tests.

    With ``thorough`` all seeds run; without it they end with the first that survives. A test that
    takes more than ``test_cpu_s`` on the unchanged component is left out.
    """

    files: tuple[str, ...]
    seeds: tuple[int, ...]
    thorough: bool = False
    tests: Mapping[str, Control] = field(default_factory=dict)
    test_cpu_s: float | None = None

    def admits(self, test: str) -> bool:
        """Whether the test is cheap enough to be run."""
        control = self.tests.get(test)
        dear = control is not None and control.cpu_s > (self.test_cpu_s or math.inf)
        return not dear

    def reaches(self, test: str, mutant: Mutant) -> bool:
        """Whether the test began the mutant's statement, as far as is known.

        One that did not may still tell the mutant, where a result is cached for the process.
        """
        control = self.tests.get(test)
        return control is None or mutant.statement in control.reached

    def at_import(self, mutant: Mutant) -> bool:
        """Whether the change is of what runs when the module is imported, or by no test at all."""
        if mutant.function is None:
            return True
        return bool(self.tests) and not any(self.reaches(test, mutant) for test in self.tests)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedRun:
    """What became of one seed: ``by`` names the test that fell or was under way, if any did."""

    seed: int
    result: Result
    by: str | None
    cpu_s: float


Keep = Callable[[Mutant, list[SeedRun]], object]


def register_profile(examples: int | None) -> None:
    """The profile ``dev`` without a database, and without shrinking what it finds."""
    from chaoscheck import profiles

    profiles.register()
    dev = settings.get_profile("dev")
    settings.register_profile(
        PROFILE,
        parent=dev,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        max_examples=dev.max_examples if examples is None else examples,
    )


def control_of(mutants: Iterable[Mutant], task: Task) -> tuple[dict[str, Control], str | None]:
    """Each test on the unchanged component with the first seed; and which one fell, if any."""
    tests: dict[str, Control] = {}
    broken: list[str | None] = []

    def run(session: pytest.Session) -> None:
        seen = _forked(lambda report: _watch(mutants, session, task.seeds[0], report))
        for name, *control in map(json.loads, seen.lines):
            if control:
                [values] = control
                tests[name] = Control(cpu_s=values["cpu_s"], reached=tuple(values["reached"]))
        unfinished = [name for name, *control in map(json.loads, seen.lines) if not control]
        broken.append(None if seen.status == 0 else (unfinished or ["?"])[-1])

    _collected(task, _Loop(run))
    return tests, broken[0] if broken else "collection"


def run_swapped(mutants: Iterable[Mutant], task: Task, keep: Keep) -> None:
    """Run mutants whose change is within a function."""

    def run(session: pytest.Session) -> None:
        runner = _Runner(session, task)
        for mutant in mutants:
            live_function(mutant.module, mutant.function)  # an error here is one of this tool
            keep(mutant, runner.runs_of(mutant, swapped=True))

    _collected(task, _Loop(run))


def run_imported(mutant: Mutant, task: Task, keep: Keep) -> None:
    """Run a mutant that has to be imported, in a process that was forked for it alone."""

    def run(session: pytest.Session) -> None:
        if not is_imported(mutant):
            raise RuntimeError(f"no law imports {mutant.module}")
        keep(mutant, _Runner(session, task).runs_of(mutant, swapped=False))

    loop = _Loop(run, MutantFinder(mutant))
    code = _collected(task, loop)
    if not loop.began:  # the laws cannot even import it
        assert code != pytest.ExitCode.OK
        keep(mutant, _for_all(task.seeds, "killed", "import"))


def _collected(task: Task, loop: _Loop) -> int:
    options = ["-q", "-p", "no:cacheprovider", "--chaos-no-save", "-W", _NO_REWRITE]
    # The explorer is given seconds, not examples: what it finds is not the same in each run.
    options += ["--chaos-explore=0", f"--hypothesis-profile={PROFILE}"]
    return int(pytest.main([*options, *task.files], plugins=[loop]))


class _Loop:
    """A pytest plugin: hands over what was collected, in place of pytest's own loop."""

    def __init__(
        self, run: Callable[[pytest.Session], None], finder: MutantFinder | None = None
    ) -> None:
        self._run = run
        self._finder = finder
        self.began = False

    def pytest_sessionstart(self) -> None:
        """Put the mutant before every other finder, pytest's own included."""
        if self._finder is not None:
            sys.meta_path.insert(0, self._finder)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run all that there is to run."""
        if session.testsfailed:
            return None  # pytest itself says that the collection failed
        self.began = True
        gc.collect()
        gc.freeze()  # what is here is shared with the forks; no collection touches its pages
        self._run(session)
        return True


class _Runner:
    """Runs one mutant after the other, and learns which tests kill."""

    def __init__(self, session: pytest.Session, task: Task) -> None:
        self._session = session
        self._task = task
        self._kills: Counter[str] = Counter()

    def runs_of(self, mutant: Mutant, *, swapped: bool) -> list[SeedRun]:
        """What became of each seed, up to the first that survived."""
        runs: list[SeedRun] = []
        items = [item for item in self._session.items if self._task.admits(item.nodeid)]
        for seed in self._task.seeds:
            ordered = sorted(items, key=lambda item: self._turn(item, mutant))
            runs.append(self._run(seed, ordered, mutant if swapped else None))
            self._kills[runs[-1].by or ""] += 1
            if runs[-1].result == "survived" and not self._task.thorough:
                break
            if any(item.nodeid == runs[-1].by and not _draws(item) for item in items):
                # The test draws nothing: it falls with each seed.
                return _for_all(self._task.seeds, runs[-1].result, runs[-1].by, runs[-1].cpu_s)
        return runs

    def _turn(self, item: pytest.Item, mutant: Mutant) -> tuple[bool, bool, float]:
        """Tests that reach the mutant first, of those the ones without chance, then cheap ones.

        A run of a test that draws nothing tells of all seeds.
        """
        score = self._cost_s(item.nodeid) / (1 + self._kills[item.nodeid])
        return not self._task.reaches(item.nodeid, mutant), _draws(item), score

    def _cost_s(self, test: str) -> float:
        control = self._task.tests.get(test)
        return 0.0 if control is None else control.cpu_s

    def _run(self, seed: int, items: list[pytest.Item], swapped: Mutant | None) -> SeedRun:
        def child(report: Callable[[object], None]) -> int:
            if swapped is not None:
                swap_code(swapped)
            for item in _seeded(items, seed):
                report(item.nodeid)
                limit_time(self._cost_s(item.nodeid))
                if not _passes(item, self._session):
                    return _KILLED
            return 0

        seen = _forked(child)
        result: Result = "survived" if seen.status == 0 else "killed"
        if was_out_of_time(seen.status):
            result = "timed_out"
        by = json.loads(seen.lines[-1]) if seen.lines and result != "survived" else None
        return SeedRun(seed=seed, result=result, by=by, cpu_s=seen.cpu_s)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a child reported, its wait status, and the CPU seconds that it used."""

    lines: list[str]
    status: int
    cpu_s: float


def _forked(child: Callable[[Callable[[object], None]], int]) -> _Seen:
    """Run ``child`` in a fork; it is given a function that reports a value of JSON."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            limit_memory()
            os._exit(child(lambda value: _write(writing, f"{json.dumps(value)}\n")))
        except BaseException:
            os._exit(_KILLED)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        lines = pipe.read().splitlines()
    _, status, usage = os.wait4(pid, 0)
    return _Seen(lines, status, round(usage.ru_utime + usage.ru_stime, 2))


def _write(descriptor: int, text: str) -> None:
    rest = text.encode()
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _watch(
    mutants: Iterable[Mutant],
    session: pytest.Session,
    seed: int,
    report: Callable[[object], None],
) -> int:
    """Run all tests of the unchanged component; report what each costs and reaches."""
    reached = watch_statements(mutants)
    for item in _seeded(session.items, seed):
        report([item.nodeid])
        reached.clear()
        began_s = used_cpu_s()
        if not _passes(item, session):
            return _KILLED
        cpu_s = round(used_cpu_s() - began_s, 4)
        report([item.nodeid, asdict(Control(cpu_s=cpu_s, reached=tuple(sorted(reached))))])
    return 0


def _seeded(items: Iterable[pytest.Item], seed: int) -> Iterator[pytest.Item]:
    hypothesis.core.global_force_seed = seed  # type: ignore[assignment]  # as its plugin does
    fallen: Callable[..., Any] = _end_here
    # The first example that fails ends the run. Hypothesis has no public hook for it.
    ConjectureData.mark_interesting = fallen  # type: ignore[method-assign]
    yield from items


def _passes(item: pytest.Item, session: pytest.Session) -> bool:
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
    return not session.testsfailed


def _draws(item: pytest.Item) -> bool:
    """Whether what the test does depends on a seed: it is a property or a machine's test."""
    # A machine's test is a method of a TestCase; a plain function asks nothing of Hypothesis.
    if not (isinstance(item, pytest.Function) and isinstance(item.parent, pytest.Module)):
        return True
    return bool(is_hypothesis_test(item.function))


def _for_all(
    seeds: Iterable[int], result: Result, by: str | None, cpu_s: float = 0.0
) -> list[SeedRun]:
    return [SeedRun(seed=seed, result=result, by=by, cpu_s=cpu_s) for seed in seeds]


def _end_here(*_: object, **__: object) -> None:
    os._exit(_KILLED)
