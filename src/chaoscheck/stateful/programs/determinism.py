"""The guard on determinism: a program is replayed twice, and the two must not part ways."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import trio

from chaoscheck.errors import Unreproducible
from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import Decision, Program
from chaoscheck.stateful.driver import ProgramDriver, RecordedChoices
from chaoscheck.stateful.failures import origin_of
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.world.patches.early_bindings import unanswered
from chaoscheck.world.schedule import Scheduler
from chaoscheck.world.scheduler import HoldingLine
from chaoscheck.world.task_story import calling_place, where

# Theory of operation. Hypothesis calls a test flaky when the same choices do not lead to the same
# end, and cannot say where the ways parted. We can: everything undetermined asks the world, so two
# replays ask the same questions in the same order, and run the same tasks one after the other,
# unless something that nobody asked the world about differs. Both replays write down each
# question and each stretch of a task, with the line of code. The first difference is the nearest
# that can be seen from outside to what differs: a set in the order of its hashes, a clock or a
# generator of its own, or what an earlier example left behind.

__all__ = ["Divergence", "first_divergence", "not_seen_again", "require_determinism"]

REPLAYS = 3


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened in a replay: ``what``, in which task, at which line."""

    what: str
    task: str
    place: str

    def __str__(self) -> str:
        return f"{self.what}, in {self.task} ({self.place})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """The first event, counted from 1, at which two replays were not the same; None: its end.

    ``before`` is the last event that they have in common, and its line the nearest to what differs.
    """

    moment: int
    one: Moment | None
    other: Moment | None
    before: Moment | None = None

    def __str__(self) -> str:
        def told(moment: Moment | None) -> str:
            return "nothing more happened" if moment is None else str(moment)

        return "\n".join(
            [
                f"two replays of one program diverge at event {self.moment}:",
                f"  one:    {told(self.one)}",
                f"  other:  {told(self.other)}",
                *([] if self.before is None else [f"  before: {self.before}"]),
            ]
        )


def require_determinism(
    machine_type: Any, program: Program | None, error: BaseException | None
) -> None:
    """Unreproducible, from ``error``, when replays of ``program`` part ways."""
    if program is None:
        return
    divergence = first_divergence(machine_type, program)
    if divergence is not None:
        raise Unreproducible(
            f"{machine_type.__name__} is not deterministic: {divergence}\n{_causes()}"
        ) from error


def not_seen_again(machine_type: Any, error: BaseException) -> Unreproducible:
    """What to raise for a failure that came once, where no two replays differ in anything."""
    return Unreproducible(
        f"{machine_type.__name__} is not deterministic: it failed once, and the same choices did "
        f"not fail again:\n"
        f"  once:   {origin_of(error)}: {error}\n"
        f"  then:   no replay differs from another\n"
        f"{_causes()}"
    )


def _causes() -> str:
    """What may be behind it; what is known to read real clocks or chance comes first."""
    known = "".join(f"{each} " for each in unanswered())
    return (
        f"Something here does not ask the world: {known}a clock that is read in C, the order of "
        f"a set, state that outlives an example."
    )


def first_divergence(machine_type: Any, program: Program) -> Divergence | None:
    """Where replays of ``program`` part ways; None if they never do."""
    first = _moments(machine_type, program)
    for _ in range(REPLAYS - 1):
        divergence = _compared(first, _moments(machine_type, program))
        if divergence is not None:
            return divergence
    return None


def _compared(one: Sequence[Moment], other: Sequence[Moment]) -> Divergence | None:
    for number, (a, b) in enumerate(zip_longest(one, other), start=1):
        if a != b:
            before = one[number - 2] if number > 1 else None
            return Divergence(moment=number, one=a, other=b, before=before)
    return None


def _moments(machine_type: Any, program: Program) -> list[Moment]:
    moments: list[Moment] = []
    run = replay(machine_type, program, driver=_WatchedDriver(program, moments))
    ending = "the program passes" if run.origin is None else f"it fails: {run.origin}"
    moments.append(Moment(ending, "the program", "its end"))
    conduct = f"the digest of all that happened is {run.conduct[:12]}"
    moments.append(Moment(conduct, "all", "its end"))
    return moments


class _WatchedDriver(ProgramDriver):
    """A program, all of whose questions and stretches are written down."""

    def __init__(self, program: Program, moments: list[Moment]) -> None:
        super().__init__(program)
        self._moments = moments
        self._choices = _WatchedChoices(program.decisions, moments)
        self.choices = self._choices

    def scheduler(self, schedules: str = "") -> Scheduler:
        """The same order, watched."""
        return _WatchedLine(self._program.holds, self._moments)


class _WatchedChoices(RecordedChoices):
    def __init__(self, decisions: Sequence[Decision], moments: list[Moment]) -> None:
        super().__init__(decisions)
        self._moments = moments

    def _pick(self, label: str, options: int) -> int:
        value = super()._pick(label, options)
        what = f"the question {label!r} of {options} answers was answered {value}"
        self._moments.append(Moment(what, _current_task(), calling_place()))
        return value


class _WatchedLine(HoldingLine):
    def __init__(self, holds: Iterable[Hold], moments: list[Moment]) -> None:
        super().__init__(holds)
        self._moments = moments

    def order(self, batch: list[trio.lowlevel.Task]) -> None:
        """One at a time, and each on record."""
        runnable = len(batch)
        super().order(batch)
        if not batch:
            return
        what = f"the next of {runnable} to run"
        self._moments.append(Moment(what, self.names.of(batch[0]), _place(batch[0])))


def _place(task: trio.lowlevel.Task) -> str:
    """Where a task stands, and where its parent does as long as that is no code of the user's."""
    place = where(task)
    parent = _parent_of(task)
    if not place.startswith("in ") or parent is None or _parent_of(parent) is None:
        return place  # the task's own line, or what the world itself started
    return f"{place}, a child of {parent.name}: {_place(parent)}"


def _parent_of(task: trio.lowlevel.Task) -> trio.lowlevel.Task | None:
    nursery = task.parent_nursery
    return None if nursery is None else nursery.parent_task


def _current_task() -> str:
    try:
        return trio.lowlevel.current_task().name
    except RuntimeError:
        return "the program"
