"""Spreads mutants over processes, each forked from this one; results come back as they are made."""

from __future__ import annotations

import multiprocessing
import os
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

from mutant_runs import SeedRun, Task, run_imported, run_swapped
from mutations import Mutant

__all__ = ["run_all", "run_control"]

_CONTEXT = multiprocessing.get_context("fork")


def run_control(task: Task) -> SeedRun:
    """The component as it is, with the first seed."""
    [(_, [run])] = list(_results([("swapped", [None])], task, 1))
    return run


def run_all(
    mutants: Sequence[Mutant], task: Task, jobs: int
) -> Iterator[tuple[Mutant, list[SeedRun]]]:
    """Each mutant with what became of it, in no order; ``jobs`` processes at a time."""
    swapped = [mutant for mutant in mutants if mutant.function is not None]
    shares: list[tuple[str, Sequence[Mutant | None]]] = [
        ("swapped", swapped[number::jobs]) for number in range(jobs) if swapped[number::jobs]
    ]
    shares += [("imported", [mutant]) for mutant in mutants if mutant.function is None]
    for mutant, runs in _results(shares, task, jobs):
        assert mutant is not None
        yield mutant, runs


def _results(
    shares: Sequence[tuple[str, Sequence[Mutant | None]]], task: Task, jobs: int
) -> Iterator[tuple[Mutant | None, list[SeedRun]]]:
    queue = _CONTEXT.SimpleQueue()
    waiting, running = list(shares), 0
    while waiting or running:
        while waiting and running < jobs:
            kind, mutants = waiting.pop(0)
            _CONTEXT.Process(target=_work, args=(kind, mutants, task, queue)).start()
            running += 1
        word, value = queue.get()
        if word == "done":
            running -= 1
        elif word == "broken":
            raise RuntimeError(f"a process broke:\n{value}")
        else:
            yield value


def _work(kind: str, mutants: Sequence[Mutant | None], task: Task, queue: Any) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    done = 0

    def keep(mutant: Mutant | None, runs: list[SeedRun]) -> None:
        nonlocal done
        done += 1
        queue.put(("result", (mutant, runs)))

    try:
        if kind == "imported":
            [mutant] = mutants
            assert mutant is not None
            run_imported(mutant, task, keep)
        else:
            run_swapped(mutants, task, keep)
        if done < len(mutants):
            queue.put(("broken", f"{done} of {len(mutants)} mutants of {task.files} were run"))
    except BaseException:
        queue.put(("broken", traceback.format_exc()))
    queue.put(("done", None))
