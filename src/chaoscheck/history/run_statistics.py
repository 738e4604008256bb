"""What a run of one machine did: rules, laws and faults counted, as values that add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

__all__ = ["FaultCounts", "LawCounts", "Outcome", "RuleCounts", "RunStatistics", "When"]

When = Literal["settled", "at_rest", "healed"]
Outcome = Literal["passed", "failed", "skipped"]

# The worst comes last: several runs together did as badly as the worst of them.
_WORSE: tuple[Outcome, ...] = ("skipped", "passed", "failed")

T = TypeVar("T", "RuleCounts", "LawCounts", "FaultCounts")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCounts:
    """A rule and how often it ran. ``why_never`` says what kept one from running that never ran."""

    name: str
    ready_made: bool = False
    runs: int = 0
    why_never: str = ""

    def plus(self, other: RuleCounts) -> RuleCounts:
        """The sum of two runs."""
        runs = self.runs + other.runs
        return RuleCounts(
            name=self.name,
            ready_made=self.ready_made,
            runs=runs,
            why_never="" if runs else self.why_never or other.why_never,
        )

    @property
    def mark(self) -> str:
        """What never happened, in words; empty for a rule that ran."""
        return "" if self.runs else f"never ran: {self.why_never or 'never drawn'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LawCounts:
    """A law: how often it was ``checked``, and how many cases it ``judged`` and ``skipped``.

    A check that names no case is one case. ``skipped`` counts cases by the reason that the law
    gave. ``why_never`` says what kept a law from being checked that never was.
    """

    name: str
    when: When = "settled"
    checked: int = 0
    judged: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    why_never: str = ""

    def plus(self, other: LawCounts) -> LawCounts:
        """The sum of two runs."""
        checked = self.checked + other.checked
        return LawCounts(
            name=self.name,
            when=self.when,
            checked=checked,
            judged=self.judged + other.judged,
            skipped=dict(Counter(self.skipped) + Counter(other.skipped)),
            why_never="" if checked else self.why_never or other.why_never,
        )

    @property
    def only_skipped(self) -> bool:
        """Whether it skipped all that it was asked about."""
        return bool(self.skipped) and not self.judged

    @property
    def mark(self) -> str:
        """What never happened, in words; empty for a law that judged something."""
        if not self.checked:
            return f"never checked: {self.why_never or 'no example came so far'}"
        return "" if self.judged else "judged nothing" if not self.skipped else "only skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultCounts:
    """A kind of fault: how often it was injected, had an effect, and was judged by a law.

    One injection may have several effects: a refusing link refuses each connection.
    """

    name: str
    declared: bool = True
    injected: int = 0
    effects: int = 0
    judged: int = 0

    def plus(self, other: FaultCounts) -> FaultCounts:
        """The sum of two runs."""
        return FaultCounts(
            name=self.name,
            declared=self.declared or other.declared,
            injected=self.injected + other.injected,
            effects=self.effects + other.effects,
            judged=self.judged + other.judged,
        )

    @property
    def mark(self) -> str:
        """What never happened, in words; empty for a fault that was judged."""
        if not self.injected and not self.effects:
            return "never injected"
        return "never had an effect" if not self.effects else "" if self.judged else "never judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatistics:
    """All that was counted in a run of one machine, or in several runs that were added up.

    ``test`` is the node ID of its test without the shard, empty outside of pytest. ``failures``
    counts examples that failed, those of shrinking included. ``seeds`` are those of its runs.
    """

    machine: str
    test: str = ""
    outcome: Outcome = "passed"
    seeds: tuple[int | str, ...] = ()
    examples: int = 0
    failures: int = 0
    rules: tuple[RuleCounts, ...] = ()
    laws: tuple[LawCounts, ...] = ()
    faults: tuple[FaultCounts, ...] = ()

    def plus(self, other: RunStatistics) -> RunStatistics:
        """The sum of two runs of the same machine, as of its shards."""
        return RunStatistics(
            machine=self.machine,
            test=self.test,
            outcome=max(self.outcome, other.outcome, key=_WORSE.index),
            seeds=tuple(dict.fromkeys((*self.seeds, *other.seeds))),
            examples=self.examples + other.examples,
            failures=self.failures + other.failures,
            rules=_added(self.rules, other.rules, RuleCounts.plus),
            laws=_added(self.laws, other.laws, LawCounts.plus),
            faults=_added(self.faults, other.faults, FaultCounts.plus),
        )

    @property
    def marks(self) -> int:
        """How many rules, laws and faults are marked: something of them never happened."""
        kinds = (self.rules, self.laws, self.faults)
        return sum(bool(each.mark) for counts in kinds for each in counts)


def _added(ones: Sequence[T], others: Sequence[T], plus: Callable[[T, T], T]) -> tuple[T, ...]:
    sums = {each.name: each for each in ones}
    for other in others:
        one = sums.get(other.name)
        sums[other.name] = other if one is None else plus(one, other)
    return tuple(sums.values())
