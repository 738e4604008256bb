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
from chaoscheck.plan.program import Decision, Drawn, Literal, Program, Step
from chaoscheck.stateful.chaos_rules import NEXT_FAULT
from chaoscheck.stateful.conjecture import drawn_again
from chaoscheck.stateful.failures import Origin
from chaoscheck.stateful.replaying import Replay, replay
from chaoscheck.stateful.selection import NotedStrategy
from chaoscheck.stateful.shrunk_arguments import lowered, merged
from chaoscheck.stateful.story_size import Size, size_of
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

SET_RATE = "set_rate"
FAULT = "fault"  # the label under which the server asks whether a request meets a fault

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
                while any(self.attempt(each) for each in self._fewer_hits(step)):
                    pass
                self._without_rate(step)

    def _fewer_hits(self, rate: Step) -> Iterator[Program]:
        """The same rate, but all requests are spared except one, or all except one are hit."""
        hits = [
            Decision(number, FAULT, nth, 1)
            for number, met in self.best.by_rate.items()
            for nth in range(len(met))
        ]
        if len(hits) < 2:
            return
        # At a rate of 1 nothing is left to chance, so that no single request could be spared.
        arguments = {**rate.arguments, "rate": Literal(0.5)}
        steps = [replace(s, arguments=arguments) if s == rate else s for s in self.program.steps]
        others = [each for each in self.program.decisions if each.label != FAULT]
        single = [[hit] for hit in hits]
        for kept in (*single, *([each for each in hits if each != hit] for hit in hits)):
            yield replace(self.program, steps=tuple(steps), decisions=(*others, *kept))

    def _without_rate(self, rate: Step) -> None:
        hits = [(number, fault) for number, met in self.best.by_rate.items() for fault in met]
        number = max(step.number for step in self.program.steps)
        single = [
            (
                at,
                Step(number=number + place, rule=NEXT_FAULT, arguments={"fault": Literal(fault)}),
            )
            for place, (at, fault) in enumerate(hits, start=1)
        ]
        bare = self.program.without([rate.number])
        bare = replace(bare, decisions=tuple(d for d in bare.decisions if d.label != FAULT))
        beside: list[Step] = []
        for step in bare.steps:
            beside += [fault for at, fault in single if at == step.number]
            beside.append(step)
        at_once = list(bare.steps)
        place = [step.number for step in self.program.steps].index(rate.number)
        at_once[place:place] = [fault for _, fault in single]
        for steps in (beside, at_once):
            if self.attempt(replace(bare, steps=tuple(steps))):
                return

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
            changed = self._with_choices(step, name, choices)
            if changed is not None:
                yield changed

    def _with_choices(self, step: Step, name: str, choices: tuple[Any, ...]) -> Program | None:
        """The program in which an argument of a step is made of other choices."""
        strategy = _strategies(self._machine_type, step.rule).get(name)
        if strategy is None:
            return None
        try:
            value, choices = drawn_again(strategy, choices, None)
        except Exception:
            return None  # the strategy makes nothing of them, or needs the machine
        plain = isinstance(step.arguments[name], Literal)
        argument = Literal(value, choices) if plain else Drawn(choices, repr(value))
        changed = replace(step, arguments={**step.arguments, name: argument})
        return replace(
            self.program,
            steps=tuple(changed if s.number == step.number else s for s in self.program.steps),
        )

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
                summed = self._with_choices(kept, name, choices)
                if summed is not None:
                    yield summed.without([gone.number])

    def _order(self) -> None:
        """Neighbours change places, where it makes no difference."""
        for place in range(len(self.program.steps) - 1):
            steps = list(self.program.steps)
            if place + 1 < len(steps):
                steps[place : place + 2] = reversed(steps[place : place + 2])
                self.attempt(replace(self.program, steps=tuple(steps)))

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


def _strategies(machine_type: Any, rule_name: str) -> dict[str, Any]:
    state = machine_type.setup_state()
    for rule in (*state.rules, *state.initializers):
        if rule.function.__name__ == rule_name:
            return {name: _bare(strategy) for name, strategy in rule.arguments.items()}
    return {}


def _bare(strategy: Any) -> Any:
    """The strategy itself: one that notes where it stands needs a machine that listens."""
    return strategy._strategy if isinstance(strategy, NotedStrategy) else strategy


def _key(program: Program) -> object:
    steps = tuple((s.number, s.rule, tuple(s.arguments.items())) for s in program.steps)
    return (steps, program.decisions, program.holds)
