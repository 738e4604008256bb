"""Runs laws against mutants: property files are collected once, then every mutant has its forks.

A change within a function is made in the fork of its seed, by giving the live function the changed
code; one of what runs at import has a process that imports the changed module. A seed's process
ends at the first example that fails: nothing is shrunk, kept or printed.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import hypothesis.core
import pytest
from hypothesis import Phase, settings
from hypothesis.internal.conjecture.data import ConjectureData

from mutant_code import MutantFinder, is_imported, live_function, swap_code
from mutations import Mutant

__all__ = ["PROFILE", "Keep", "SeedRun", "Task", "register_profile", "run_imported", "run_swapped"]

Result = Literal["killed", "survived", "timed_out"]

PROFILE = "mutants"
_KILLED = 42  # the exit code of a process in which a law fell
# What this process has imported before pytest began keeps its plain assertions.
_NO_REWRITE = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
_WALL_FACTOR = 20  # how much longer than its CPU time a run may take on a busy machine
_WALL_MIN_S = 120
_MEMORY_MAX = 4 << 30  # bytes; what a mutant that never stops collecting may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """How mutants are run: property files, seeds, and CPU seconds that one seed may use.

    With ``thorough`` all seeds run; without it they end with the first that survives.
    """

    files: tuple[str, ...]
    seeds: tuple[int, ...]
    cpu_s: int
    thorough: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedRun:
    """What became of one seed: ``by`` names the test that fell or was under way, if any did."""

    seed: int
    result: Result
    by: str | None
    cpu_s: float


Keep = Callable[[Mutant | None, list[SeedRun]], object]


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


def run_swapped(mutants: Iterable[Mutant | None], task: Task, keep: Keep) -> None:
    """Run mutants whose change is within a function (None: the component as it is)."""
    _collected(task, _Loop(mutants, task, keep))


def run_imported(mutant: Mutant, task: Task, keep: Keep) -> None:
    """Run a mutant that has to be imported, in a process that was forked for it alone."""
    finder = MutantFinder(mutant)
    loop = _Loop([mutant], task, keep, finder)
    code = _collected(task, loop)
    if not loop.began:  # the laws cannot even import it
        assert code != pytest.ExitCode.OK
        runs = [SeedRun(seed=seed, result="killed", by="import", cpu_s=0) for seed in task.seeds]
        keep(mutant, runs)


def _collected(task: Task, loop: _Loop) -> int:
    options = ["-q", "-p", "no:cacheprovider", "--chaos-no-save", "-W", _NO_REWRITE]
    profile = f"--hypothesis-profile={PROFILE}"
    return int(pytest.main([*options, profile, *task.files], plugins=[loop]))


class _Loop:
    """A pytest plugin: runs what was collected for each mutant and seed, each time in a fork."""

    def __init__(
        self,
        mutants: Iterable[Mutant | None],
        task: Task,
        keep: Keep,
        finder: MutantFinder | None = None,
    ) -> None:
        self._mutants = mutants
        self._task = task
        self._keep = keep
        self._finder = finder
        self.began = False

    def pytest_sessionstart(self) -> None:
        """Put the mutant before every other finder, pytest's own included."""
        if self._finder is not None:
            sys.meta_path.insert(0, self._finder)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run all that there is to run, in place of pytest's own loop."""
        if session.testsfailed:
            return None  # pytest itself says that the collection failed
        self.began = True
        for mutant in self._mutants:
            self._keep(mutant, self._runs_of(mutant, session))
        return True

    def _runs_of(self, mutant: Mutant | None, session: pytest.Session) -> list[SeedRun]:
        swapped = None
        if self._finder is not None:
            if not is_imported(self._finder.mutant):
                raise RuntimeError(f"no law imports {self._finder.mutant.module}")
        elif mutant is not None:
            swapped = mutant
            live_function(mutant)  # before any fork: an error here is one of this tool
        runs: list[SeedRun] = []
        for seed in self._task.seeds:
            runs.append(_forked_run(seed, session, self._task.cpu_s, swapped))
            if runs[-1].result == "survived" and not self._task.thorough:
                break
        return runs


def _forked_run(seed: int, session: pytest.Session, cpu_s: int, swapped: Mutant | None) -> SeedRun:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _limit(cpu_s)
        os.close(reading)
        try:
            if swapped is not None:
                swap_code(swapped)
            os._exit(_run_items(seed, session, writing))
        except BaseException:
            os._exit(_KILLED)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        begun = pipe.read().split("\n")
    _, status, usage = os.wait4(child, 0)
    result: Result = "survived" if status == 0 else "killed"
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGALRM):
        result = "timed_out"
    used_s = round(usage.ru_utime + usage.ru_stime, 2)
    names = [name for name in begun if name]
    by = names[-1] if names and result != "survived" else None
    return SeedRun(seed=seed, result=result, by=by, cpu_s=used_s)


def _run_items(seed: int, session: pytest.Session, writing: int) -> int:
    """Run the items of ``session`` with ``seed`` until one fails; the exit code."""
    hypothesis.core.global_force_seed = seed  # type: ignore[assignment]  # as its plugin does
    fallen: Callable[..., Any] = _end_here
    # The first example that fails ends the run. Hypothesis has no public hook for it.
    ConjectureData.mark_interesting = fallen  # type: ignore[method-assign]
    for item in session.items:
        os.write(writing, f"{item.nodeid}\n".encode())
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        if session.testsfailed:
            return _KILLED
    return 0


def _end_here(*_: object, **__: object) -> None:
    os._exit(_KILLED)


def _limit(cpu_s: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_MAX, _MEMORY_MAX))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(max(_WALL_MIN_S, _WALL_FACTOR * cpu_s))
