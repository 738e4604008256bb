"""Spreads mutants over processes, each forked from this one; results come back as they are made."""

from __future__ import annotations

import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mutant_runs import Control, SeedRun, Task, control_of, run_imported, run_swapped
from mutations import Mutant

__all__ = ["run_all", "run_control"]

_CONTEXT = multiprocessing.get_context("fork")

Work = Callable[[Callable[[Any], None]], None]  # given what takes a result


def run_control(mutants: Sequence[Mutant], task: Task) -> tuple[dict[str, Control], str | None]:
    """The component as it is, with the first seed: each test, and the one that fell, if any."""

    def work(keep: Callable[[Any], None]) -> None:
        keep(control_of(mutants, task))

    [control] = list(_results([work], 1))
    result: tuple[dict[str, Control], str | None] = control
    return result


def run_all(
    mutants: Sequence[Mutant], task: Task, jobs: int
) -> Iterator[tuple[Mutant, list[SeedRun]]]:
    """Each mutant with what became of it, in no order; ``jobs`` processes at a time."""
    swapped = [mutant for mutant in mutants if not task.at_import(mutant)]
    shares = [swapped[number::jobs] for number in range(jobs) if swapped[number::jobs]]
    works = [_work_of(share, task) for share in shares]
    works += [_work_of([mutant], task) for mutant in mutants if task.at_import(mutant)]
    yield from _results(works, jobs)


def _work_of(mutants: Sequence[Mutant], task: Task) -> Work:
    def work(keep: Callable[[Any], None]) -> None:
        done = 0

        def count(mutant: Mutant, runs: list[SeedRun]) -> None:
            nonlocal done
            done += 1
            keep((mutant, runs))

        if task.at_import(mutants[0]):
            run_imported(mutants[0], task, count)
        else:
            run_swapped(mutants, task, count)
        if done < len(mutants):
            raise RuntimeError(f"{done} of {len(mutants)} mutants of {task.files} were run")

    return work


def _results(works: Sequence[Work], jobs: int) -> Iterator[Any]:
    queue = _CONTEXT.SimpleQueue()
    waiting, running = list(works), 0
    while waiting or running:
        while waiting and running < jobs:
            _CONTEXT.Process(target=_do, args=(waiting.pop(0), queue)).start()
            running += 1
        word, value = queue.get()
        if word == "done":
            running -= 1
        elif word == "broken":
            raise RuntimeError(f"a process broke:\n{value}")
        else:
            yield value


def _do(work: Work, queue: Any) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    try:
        work(lambda value: queue.put(("result", value)))
    except BaseException:
        queue.put(("broken", traceback.format_exc()))
    queue.put(("done", None))
