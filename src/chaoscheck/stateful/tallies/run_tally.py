"""What a run of a machine counted: which faults had an effect, and which of them a law judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from chaoscheck.errors import NotExercised
from chaoscheck.history.run_statistics import (
    FaultCounts,
    LawCounts,
    RuleCounts,
    RunStatistics,
    When,
)

__all__ = [
    "IN_RULES",
    "NEVER_AT_REST",
    "PRECONDITION",
    "FaultsOfExample",
    "LawTally",
    "RuleTally",
    "RunTally",
]

# Theory of operation. A run is green only if every declared fault had an effect *and* some law
# judged what became of it. Two ways to judge:
#
# - *implied*: a law ran to its end after the fault's effect, in the same example, and skipped
#   nothing. Simple machines need no more. It is weak evidence: the law may look elsewhere.
# - *named*: a law said ``chaos.judged("status_429")``. As soon as one law of a machine names
#   faults, only named judgements count for that machine: its author knows better.
#
# What a law skips by ``chaos.skipped(reason)`` is counted; a law that only ever skips is an error.

#: The law under which judgements are counted that a rule made, and not an invariant.
IN_RULES = "(in rules)"

# Why a rule never ran, or a law was never checked.
PRECONDITION = "its precondition never held"
NEVER_AT_REST = "the world was never at rest"
NEVER_HEALED = "no example came to its end"


@dataclass(slots=True)
class RuleTally:
    """How often a rule ran, and what last kept it from running."""

    ready_made: bool = False
    runs: int = 0
    why_never: str = ""


@dataclass(slots=True)
class LawTally:
    """How often a law was checked; cases judged and skipped; what last kept it from being due."""

    when: When = "settled"
    checked: int = 0
    judged: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    why_never: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultsOfExample:
    """Fault kinds of one example, counted: injected, with an effect, and judged either way."""

    injected: Mapping[str, int]
    hits: Mapping[str, int]
    implied: Mapping[str, int]
    named: Mapping[str, int]


class RunTally:
    """Counts over all examples of a run. ``declared`` are the faults that must be exercised."""

    def __init__(self, declared: Sequence[str]) -> None:
        self.declared = tuple(declared)
        self.on_example: Callable[[RunTally], object] | None = None
        self._rules_expected: Mapping[str, bool] = {}
        self._laws_expected: Mapping[str, When] = {}
        self.reset()

    def expect(self, *, rules: Mapping[str, bool], laws: Mapping[str, When]) -> None:
        """These rules and laws exist: which rules are ready-made, and when each law is due."""
        self._rules_expected, self._laws_expected = rules, laws
        for name, ready_made in rules.items():
            self.rule(name).ready_made = ready_made
        for name, when in laws.items():
            law = self.law(name)
            law.when, law.why_never = when, NEVER_HEALED if when == "healed" else ""

    def reset(self) -> None:
        """Begin a new run."""
        self.examples = 0
        self.failures = 0
        self.rules: dict[str, RuleTally] = {}
        self.laws: dict[str, LawTally] = {}
        self.injected: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()
        self.implied: Counter[str] = Counter()
        self.named: Counter[str] = Counter()
        self.expect(rules=self._rules_expected, laws=self._laws_expected)

    # ------------------------------------------------------------------ counting

    def rule(self, name: str) -> RuleTally:
        """The counts of the rule of this name."""
        found = self.rules.get(name)
        if found is None:
            found = self.rules[name] = RuleTally()
        return found

    def law(self, name: str) -> LawTally:
        """The counts of the law of this name."""
        found = self.laws.get(name)
        if found is None:
            found = self.laws[name] = LawTally()
        return found

    def add(self, faults: FaultsOfExample, *, failed: bool = False) -> None:
        """Count one example. No fault of it counts as judged more often than it had an effect."""
        self.examples += 1
        self.failures += failed
        self.injected.update(faults.injected)
        hits = faults.hits
        self.hits.update(hits)
        for counter, judged in ((self.implied, faults.implied), (self.named, faults.named)):
            for name, count in judged.items():
                counter[name] += min(count, hits.get(name, 0))
        if self.on_example is not None:
            self.on_example(self)

    def add_run(self, other: RunTally) -> None:
        """Count another run of the same machine, as a search for its missing faults."""
        self.examples += other.examples
        self.failures += other.failures
        for name, rule in other.rules.items():
            if name in self.rules:  # others are rules of the search, not of the machine
                self.rules[name].runs += rule.runs
        for name, law in other.laws.items():
            mine = self.law(name)
            mine.when = law.when
            mine.checked += law.checked
            mine.judged += law.judged
            mine.skipped.update(law.skipped)
        self.injected.update(other.injected)
        self.hits.update(other.hits)
        self.implied.update(other.implied)
        self.named.update(other.named)

    # ------------------------------------------------------------------ the guard

    @property
    def judged(self) -> Counter[str]:
        """How often each kind of fault was judged: by name, if any law of the run names faults."""
        return self.named if any(self.named.values()) else self.implied

    def without_effect(self) -> list[str]:
        """Declared faults that never had an effect."""
        return [name for name in self.declared if not self.hits[name]]

    def never_judged(self) -> list[str]:
        """Declared faults that had an effect, of which no law ever judged what became."""
        judged = self.judged
        return [name for name in self.declared if self.hits[name] and not judged[name]]

    def missing(self) -> list[str]:
        """Declared faults that were not exercised: without effect, or never judged."""
        missing = {*self.without_effect(), *self.never_judged()}
        return [name for name in self.declared if name in missing]

    def laws_that_only_skip(self) -> dict[str, dict[str, int]]:
        """Laws that skipped every case they met, each with its reasons and their counts."""
        return {
            name: dict(law.skipped)
            for name, law in self.laws.items()
            if law.skipped and not law.judged
        }

    def require(self, machine: str) -> None:
        """NotExercised when a declared fault had no effect or no judge, or a law only skipped."""
        found = []
        if missing := self.without_effect():
            found.append(
                f"{machine} declares faults that never had an effect in {self.examples} examples: "
                f"{', '.join(missing)}. Raise max_examples, make the subject talk more, or "
                f"do not declare them."
            )
        if unjudged := self.never_judged():
            found.append(
                f"{machine} injects faults, but in {self.examples} examples no law judged what "
                f"became of them: {', '.join(unjudged)}. A law judges what happened before it "
                f"ran to its end without chaos.skipped(), or what it names in chaos.judged()."
            )
        for law, reasons in self.laws_that_only_skip().items():
            told = ", ".join(f"{reason} ({count}x)" for reason, count in reasons.items())
            found.append(f"{machine}.{law} judged nothing in {self.examples} examples: {told}.")
        if found:
            raise NotExercised("\n".join(found))

    # ------------------------------------------------------------------ as a value

    def statistics(self, machine: str) -> RunStatistics:
        """All of it as a value."""
        judged = self.judged
        kinds = [*self.declared, *sorted({*self.injected, *self.hits} - {*self.declared})]
        return RunStatistics(
            machine=machine,
            examples=self.examples,
            failures=self.failures,
            rules=tuple(
                RuleCounts(
                    name=name,
                    ready_made=rule.ready_made,
                    runs=rule.runs,
                    why_never="" if rule.runs else rule.why_never,
                )
                for name, rule in self.rules.items()
            ),
            laws=tuple(_law_counts(name, law) for name, law in self.laws.items()),
            faults=tuple(
                FaultCounts(
                    name=kind,
                    declared=kind in self.declared,
                    injected=self.injected[kind],
                    effects=self.hits[kind],
                    judged=judged[kind],
                )
                for kind in kinds
                if kind in self.declared or self.injected[kind] or self.hits[kind]
            ),
        )


def _law_counts(name: str, law: LawTally) -> LawCounts:
    return LawCounts(
        name=name,
        when=law.when,
        checked=law.checked,
        judged=law.judged,
        skipped=dict(law.skipped),
        why_never="" if law.checked else law.why_never,
    )
