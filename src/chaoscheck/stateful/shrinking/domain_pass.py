"""The domain pass: makes a failing program the shortest that fails in the same way.

Hypothesis shrinks choices; this pass shrinks stories. It knows what steps, holds, decisions and
faults are, and tries to leave each of them out, by replaying what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice
from typing import Any

from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import Program, Step
from chaoscheck.stateful.failures import Origin
from chaoscheck.stateful.programs.replaying import Replay, replay
from chaoscheck.stateful.shrinking.argument_pass import ArgumentPass
from chaoscheck.stateful.shrinking.bolder_steps import (
    by_another_number,
    by_two_merges,
    merges,
    one_step_for_two_lines,
    with_other_followers,
    with_plain_steps,
)
from chaoscheck.stateful.shrinking.reaimed_holds import one_hold_for_two, without_a_step
from chaoscheck.stateful.shrinking.remade_arguments import remaking_of
from chaoscheck.stateful.shrinking.repeated_calls import one_call_repeated, repeated_calls
from chaoscheck.stateful.shrinking.shrunk_draws import smaller_draws
from chaoscheck.stateful.shrinking.shrunk_rates import (
    SET_RATE,
    fewer_hits,
    one_hit_for_faults,
    single_faults,
)
from chaoscheck.stateful.shrinking.small_stories import small_stories, with_one_hold
from chaoscheck.stateful.shrinking.spare_calls import calls_of, each_once
from chaoscheck.stateful.shrinking.story_size import Size, least_size_of, size_of
from chaoscheck.stateful.shrinking.stretches import stretches_of
from chaoscheck.stateful.shrinking.traded_holds import (
    reordered,
    started_later,
    with_another_reference,
)
from chaoscheck.world.ambient import process_seconds

# Theory of operation. Each pass proposes smaller programs; one that fails with the same origin
# takes the place of the best so far, and the pass goes on from there. The order of the simple
# passes is what worked best: holds first, since a schedule that is nearly FIFO makes every later
# proposal more likely to fail; then decisions, rates, steps, pairs of steps, arguments, and
# merging two steps of one rule into one. All of it again until nothing changes. A program that
# stays long is looked at in small parts (``small_stories``).
#
# Simple passes only take away, and so they end where each single part is needed as things are.
# Then the bold passes let one part go while another changes: a hold waits for somebody else
# (``reaimed_holds``), the order of steps or a reference says what a hold said (``traded_holds``),
# one step does the work of two (``bolder_steps``), or a few calls of one rule do the work of all
# (``repeated_calls``). Whenever that helps, simple passes follow.
#
# Proposals are counted, and never tried twice. Both budgets are limits, not aims: most programs
# of 20 steps are done after fewer than 200 replays of about a millisecond.

__all__ = ["Budget", "Shrunk", "shrink"]

LONG = 12  # a program of more lines is worth a look at its smallest parts
SMALL_REPLAYS_MAX = 300
REPEATS_TRIED_MAX = 60  # of one call in the place of a long program
PAIRS_STEPS_MAX = 24  # beyond it there are too many pairs to try


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """At most so many replays and CPU seconds; a program of ``lines`` lines is short enough."""

    replays: int = 1_500
    seconds: float = 20.0
    lines: int = 0


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
    tried: set[object] | None = None,
) -> Shrunk | None:
    """The smallest program that fails as ``program`` does; None if it does not fail at all.

    ``tried`` is what other searches for the same failure have tried, and is added to: nothing is
    tried again. ``progress`` is called with the best program so far and the number of replays. A
    KeyboardInterrupt ends the search and keeps the best.
    """
    first = replay(machine_type, program)
    if first.origin is None:
        return None
    search = _Search(machine_type, first, first.origin, budget or Budget(), progress)
    if tried is not None:
        search.tried = tried
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
        self.tried: set[object] = set()
        self._size = size_of(machine_type, first)
        state = machine_type.setup_state()
        self._initial = {rule.function.__name__ for rule in state.initializers}
        self._spare = calls_of(machine_type, first.program, self._initial)
        self._remaking = remaking_of(machine_type)
        self._plain = [rule.function.__name__ for rule in state.rules if not rule.arguments]
        self._rules = {rule.function.__name__ for rule in state.rules}

    def run(self) -> None:
        """Every pass, until none of them finds anything smaller."""
        self._simple_passes()
        while self._bold_passes():
            self._simple_passes()

    def _simple_passes(self) -> None:
        before: Size | None = None
        while before != self._size:
            before = self._size
            self._holds()
            self._decisions()
            self._rates()
            self._steps()
            self._small_stories()
            self._pairs()
            self._arguments()
            self._merges()
            self._order()

    @property
    def program(self) -> Program:
        """The best so far."""
        return self.best.program

    def attempt(self, candidate: Program) -> bool:
        """Whether ``candidate`` fails in the same way and is smaller: then it is the best now."""
        key = _key(candidate)
        if key in self.tried:
            return False
        self.tried.add(key)
        if least_size_of(self._machine_type, candidate) >= self._size:
            return False  # it could be smaller only for a step that cannot be taken
        spent_s, budget = process_seconds() - self.started_s, self._budget
        if self.replays >= budget.replays or spent_s > budget.seconds:
            raise _Exhausted
        if len(self.program) <= budget.lines:
            raise _Exhausted
        self.replays += 1
        run = replay(self._machine_type, candidate)
        if run.skipped:
            self.tried.add(_key(run.program))
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

    def _small_stories(self) -> None:
        """One call repeated, or two or three steps, where no step can go by itself."""
        if len(self.program) <= LONG:
            return
        program = self.program
        again = one_call_repeated(program, self._removable(), self._letters())
        if any(map(self.attempt, islice(again, REPEATS_TRIED_MAX))):
            return
        replays_max = self.replays + SMALL_REPLAYS_MAX
        ran = stretches_of(self._machine_type, program)
        for each in small_stories(program, self._removable(), ran):
            if self.attempt(each) or self.replays >= replays_max:
                return

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

    def _arguments(self) -> None:
        """Fewer choices, and simpler ones, as far as the strategies of arguments allow."""
        for step in self.program.steps:
            for name in step.arguments:
                while any(map(self.attempt, smaller_draws(self.program, step.number, name))):
                    pass
        ArgumentPass(self._remaking, lambda: self.program, self.attempt).run()

    def _merges(self) -> None:
        """Two steps of one rule become one."""
        while any(self.attempt(each) for each in merges(self.program, self._remaking)):
            pass

    def _order(self) -> None:
        """Neighbours change places, where it makes no difference."""
        for place in range(len(self.program.steps) - 1):
            steps = list(self.program.steps)
            if place + 1 < len(steps):
                steps[place : place + 2] = reversed(steps[place : place + 2])
                self.attempt(replace(self.program, steps=tuple(steps)))

    def _bold_passes(self) -> bool:
        """One part goes while another changes; whether any of it was smaller."""
        found = False
        while any(self.attempt(each) for each in self._bold()):
            found = True
        return found

    def _bold(self) -> Iterator[Program]:
        program, removable = self.program, self._removable()
        ran = stretches_of(self._machine_type, program) if program.holds else {}
        yield from without_a_step(program, removable, ran)
        if len(program.holds) > 1 or self.best.unfair:
            yield from with_one_hold(program, removable, ran)
        yield from one_hold_for_two(program, ran)
        yield from reordered(program)
        yield from started_later(program)
        yield from with_another_reference(program)
        yield from with_other_followers(program, removable)
        yield from with_plain_steps(program, removable, self._plain)
        yield from by_another_number(program, removable, ran, self._remaking)
        yield from by_two_merges(program, self._remaking)
        yield from one_step_for_two_lines(program, removable, self._spare)
        if SET_RATE in self._rules:
            yield from one_hit_for_faults(program)
        if not program.holds:
            yield from repeated_calls(program, removable, self._letters())

    def _letters(self) -> list[Step]:
        """Calls that refer to nothing: the best program's, all that were there, all plain rules."""
        now = calls_of(self._machine_type, self.program, self._initial)
        plain = [Step(number=0, rule=name, arguments={}) for name in self._plain]
        return each_once([*now, *self._spare, *plain])

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
    """The same for programs that differ in the numbers of their steps alone."""
    program = program.renumbered()
    steps = tuple((s.number, s.rule, tuple(s.arguments.items())) for s in program.steps)
    return (steps, program.decisions, program.holds)
