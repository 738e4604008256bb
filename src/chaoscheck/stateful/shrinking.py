"""The domain pass: makes a failing program the shortest that fails in the same way.

Hypothesis shrinks choices; this pass shrinks stories. It knows what steps, holds, decisions and
faults are, and tries to leave each of them out, by replaying what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations
from typing import Any

from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import Program, Step
from chaoscheck.stateful.failures import Origin
from chaoscheck.stateful.reaimed_holds import one_hold_for_two, without_a_step
from chaoscheck.stateful.remade_arguments import remade
from chaoscheck.stateful.replaying import Replay, replay
from chaoscheck.stateful.shrunk_arguments import lowered, merged
from chaoscheck.stateful.shrunk_rates import SET_RATE, fewer_hits, single_faults
from chaoscheck.stateful.story_size import Size, size_of
from chaoscheck.stateful.stretches import stretches_of
from chaoscheck.stateful.traded_holds import reordered, started_later, with_another_reference
from chaoscheck.world.ambient import process_seconds

# Theory of operation. Each pass proposes smaller programs; one that fails with the same origin
# takes the place of the best so far, and the pass goes on from there. The order of the passes is
# what worked best: holds first, since a schedule that is nearly FIFO makes every later proposal
# more likely to fail; then decisions, rates, steps, pairs of steps, integers, and merging two
# steps of one rule into one. All of it again until nothing changes.
#
# Proposals are counted, and never tried twice. Both budgets are limits, not aims: most programs
# of 20 steps are done after fewer than 100 replays of about a millisecond.

__all__ = ["Budget", "Shrunk", "shrink"]

PAIRS_STEPS_MAX = 24  # beyond it there are too many pairs to try


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """At most so many replays and CPU seconds."""

    replays: int = 1_500
    seconds: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """The smallest failing program found, its replay, and what it cost.

    ``interrupted`` tells whether a budget, or the user, ended the search.
    """

    program: Program
    replay: Replay
    replays: int
    seconds: float
    interrupted: bool


def shrink(
    machine_type: Any,
    program: Program,
    *,
    budget: Budget | None = None,
    progress: Callable[[Program, int], object] | None = None,
) -> Shrunk | None:
    """The smallest program that fails as ``program`` does; None if it does not fail at all.

    ``progress`` is called with the best program so far and the number of replays. A
    KeyboardInterrupt ends the search and keeps the best.
    """
    first = replay(machine_type, program)
    if first.origin is None:
        return None
    search = _Search(machine_type, first, first.origin, budget or Budget(), progress)
    interrupted = False
    try:
        search.run()
    except (_Exhausted, KeyboardInterrupt):
        interrupted = True
    program = search.best.program.renumbered()
    last = replay(machine_type, program)
    if last.origin != first.origin:
        program, last = search.best.program, search.best
    return Shrunk(
        program=program,
        replay=last,
        replays=search.replays,
        seconds=process_seconds() - search.started_s,
        interrupted=interrupted,
    )


class _Exhausted(Exception):
    """A budget is used up."""


class _Search:
    def __init__(
        self,
        machine_type: Any,
        first: Replay,
        origin: Origin,
        budget: Budget,
        progress: Callable[[Program, int], object] | None,
    ) -> None:
        self.best = first
        self.replays = 0
        self.started_s = process_seconds()
        self._machine_type = machine_type
        self._origin = origin
        self._budget = budget
        self._progress = progress
        self._tried: set[object] = set()
        self._size = size_of(machine_type, first)
        self._initial = {rule.function.__name__ for rule in machine_type.setup_state().initializers}

    def run(self) -> None:
        """Every pass, until none of them finds anything smaller."""
        self._simple_passes()
        while self._polish():
            self._simple_passes()

    def _simple_passes(self) -> None:
        before: Size | None = None
        while before != self._size:
            before = self._size
            self._holds()
            self._decisions()
            self._rates()
            self._steps()
            self._pairs()
            self._integers()
            self._merges()
            self._order()

    @property
    def program(self) -> Program:
        """The best so far."""
        return self.best.program

    def attempt(self, candidate: Program) -> bool:
        """Whether ``candidate`` fails in the same way and is smaller: then it is the best now."""
        key = _key(candidate)
        if key in self._tried:
            return False
        self._tried.add(key)
        spent_s = process_seconds() - self.started_s
        if self.replays >= self._budget.replays or spent_s > self._budget.seconds:
            raise _Exhausted
        self.replays += 1
        run = replay(self._machine_type, candidate)
        if run.origin != self._origin:
            return False
        size = size_of(self._machine_type, run)
        if size >= self._size:
            return False
        self.best, self._size = run, size
        if self._progress is not None:
            self._progress(run.program, self.replays)
        return True

    # ------------------------------------------------------------------ passes

    def _holds(self) -> None:
        self._leave_out(lambda: self.program.holds, self._with_holds)
        self._join_holds()
        for index in range(len(self.program.holds)):
            self._shorten(index)

    def _with_holds(self, holds: Sequence[Hold]) -> Program:
        return replace(self.program, holds=tuple(holds))

    def _join_holds(self) -> None:
        """One hold of a task until the end of another hold of it."""
        while any(self.attempt(each) for each in self._joined()):
            pass

    def _joined(self) -> Iterator[Program]:
        holds = self.program.holds
        for one, other in combinations(holds, 2):
            if one.task == other.task:
                rest = [hold for hold in holds if hold not in (one, other)]
                yield self._with_holds([*rest, replace(one, until=other.until, ran=other.ran)])

    def _shorten(self, index: int) -> None:
        """An earlier end, or an earlier beginning, that does as well."""
        while any(self.attempt(each) for each in self._shorter(index)):
            pass

    def _shorter(self, index: int) -> Iterator[Program]:
        if index < len(self.program.holds):
            hold = self.program.holds[index]
            for ran in range(1, hold.ran):
                yield self._with_one(index, replace(hold, ran=ran))
            for at in range(hold.at):
                yield self._with_one(index, replace(hold, at=at))

    def _with_one(self, index: int, hold: Hold) -> Program:
        holds = list(self.program.holds)
        holds[index] = hold
        return self._with_holds(holds)

    def _decisions(self) -> None:
        self._leave_out(
            lambda: self.program.decisions,
            lambda left: replace(self.program, decisions=tuple(left)),
        )
        for index in range(len(self.program.decisions)):
            while any(self.attempt(each) for each in self._milder(index)):
                pass

    def _milder(self, index: int) -> Iterator[Program]:
        """The same question with a smaller answer."""
        decisions = self.program.decisions
        if index < len(decisions):
            value = decisions[index].value
            for smaller in dict.fromkeys((1, value // 2)):
                if 0 < smaller < value:
                    changed = replace(decisions[index], value=smaller)
                    left, right = decisions[:index], decisions[index + 1 :]
                    yield replace(self.program, decisions=(*left, changed, *right))

    def _rates(self) -> None:
        """Faults that came by rate become single ones, which say where they matter."""
        for step in self.program.steps:
            if step.rule == SET_RATE:
                while any(self.attempt(each) for each in fewer_hits(self.best, step)):
                    pass
                any(self.attempt(each) for each in single_faults(self.best, step))

    def _steps(self) -> None:
        """Runs of steps, from half of them down to each single one, the last first."""
        self._leave_out(self._removable, self._without_all_but)

    def _removable(self) -> tuple[Step, ...]:
        return tuple(step for step in self.program.steps if step.rule not in self._initial)

    def _without_all_but(self, left: Sequence[Step]) -> Program:
        kept = {step.number for step in left}
        return self.program.without(
            step.number for step in self._removable() if step.number not in kept
        )

    def _pairs(self) -> None:
        """Two steps that need each other go together."""
        if len(self.program.steps) > PAIRS_STEPS_MAX:
            return
        while any(self.attempt(each) for each in self._without_pairs()):
            pass

    def _without_pairs(self) -> Iterator[Program]:
        for one, other in combinations(reversed(self._removable()), 2):
            yield self.program.without([one.number, other.number])

    def _integers(self) -> None:
        """Smaller numbers in arguments, as far as their strategies allow."""
        for number in [step.number for step in self.program.steps]:
            names = next(s.arguments for s in self.program.steps if s.number == number)
            for name in names:
                while self._lower(number, name):
                    pass

    def _lower(self, number: int, name: str) -> bool:
        return any(self.attempt(each) for each in self._lowered(number, name))

    def _lowered(self, number: int, name: str) -> Iterator[Program]:
        step = next(step for step in self.program.steps if step.number == number)
        for choices in lowered(step.arguments[name]):
            changed = remade(self._machine_type, self.program, step, name, choices)
            if changed is not None:
                yield changed

    def _merges(self) -> None:
        """Two steps of one rule become one with the sum of their numbers."""
        while any(self.attempt(each) for each in self._merged()):
            pass

    def _merged(self) -> Iterator[Program]:
        same = [
            pair for pair in permutations(self.program.steps, 2) if pair[0].rule == pair[1].rule
        ]
        for kept, gone in same:
            for name, choices in merged(kept, gone):
                summed = remade(self._machine_type, self.program, kept, name, choices)
                if summed is not None:
                    yield summed.without([gone.number])

    def _order(self) -> None:
        """Neighbours change places, where it makes no difference."""
        for place in range(len(self.program.steps) - 1):
            steps = list(self.program.steps)
            if place + 1 < len(steps):
                steps[place : place + 2] = reversed(steps[place : place + 2])
                self.attempt(replace(self.program, steps=tuple(steps)))

    def _polish(self) -> bool:
        """Holds that wait for something else, or give way; whether any of it was smaller."""
        polished = False
        while self.program.holds and any(self.attempt(each) for each in self._polished()):
            polished = True
        return polished

    def _polished(self) -> Iterator[Program]:
        ran = stretches_of(self._machine_type, self.program)
        yield from without_a_step(self.program, self._removable(), ran)
        yield from one_hold_for_two(self.program, ran)
        yield from reordered(self.program)
        yield from started_later(self.program)
        yield from with_another_reference(self.program)

    def _leave_out(
        self, parts: Callable[[], Sequence[Any]], keeping: Callable[[Sequence[Any]], Program]
    ) -> None:
        """Try without all parts, without each half, each quarter … and each single one."""
        length = len(parts())
        while length >= 1:
            end = len(parts())
            while end > 0:
                all_parts = parts()
                end = min(end, len(all_parts))
                start = max(0, end - length)
                if end > start:
                    self.attempt(keeping([*all_parts[:start], *all_parts[end:]]))
                end = start
            length //= 2


def _key(program: Program) -> object:
    steps = tuple((s.number, s.rule, tuple(s.arguments.items())) for s in program.steps)
    return (steps, program.decisions, program.holds)
