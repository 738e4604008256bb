"""Where an exploration goes next: faults and operations that have not met yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis.stateful import Rule

from chaoscheck.plan.fault import Fault
from chaoscheck.stateful.chaos import LINK_FAULTS
from chaoscheck.stateful.chaos_rules import NEXT_FAULT

# Theory of operation. Most bugs of recovery need one fault to hit one certain operation. Left to
# chance, a machine with a dozen faults and half a dozen rules meets most of these pairs late. So
# every now and then the explorer picks a pair that has not met, calls for the fault, and then for
# the rule. Measured over the planted bugs of the pipeline: half the CPU to find them all.

__all__ = ["Steering"]

STEERED = 0.4  # how often a free step is given to an unseen pair


class Steering:
    """Which kinds of fault had an effect while which rule was the last; over all examples."""

    def __init__(self, rules: Sequence[Rule], kinds: Sequence[Fault]) -> None:
        self._seen: set[tuple[str, str]] = set()
        self._links = [rule for rule in rules if rule.function.__name__ in LINK_FAULTS]
        self._next = next((rule for rule in rules if rule.function.__name__ == NEXT_FAULT), None)
        self._kinds = kinds if self._next is not None else ()
        self._hits: Counter[str] = Counter()

    def begin_example(self) -> None:
        """Nothing has hit anybody yet."""
        self._hits = Counter()

    def observe(self, rule: str, hits: Counter[str]) -> None:
        """After a step: what had an effect since the last one met this rule."""
        if hits != self._hits:
            self._seen.update((kind, rule) for kind, n in hits.items() if n > self._hits[kind])
            self._hits = hits

    def pair(self, own: Sequence[Rule], generator: Any) -> tuple[Rule, Fault | None, Rule] | None:
        """A rule that injects a fault, the fault if it takes one, and the rule to meet it.

        Of all pairs whose rule is among ``own``; None where none is left, or chance wills it so.
        """
        if not (self._kinds or self._links) or generator.random() >= STEERED:
            return None
        unseen: list[tuple[Rule, Fault | None, Rule]] = []
        for rule in own:
            name = rule.function.__name__
            if self._next is not None:
                unseen += [
                    (self._next, kind, rule)
                    for kind in self._kinds
                    if (kind.name, name) not in self._seen
                ]
            unseen += [
                (link, None, rule)
                for link in self._links
                if (link.function.__name__, name) not in self._seen
            ]
        return generator.choice(unseen) if unseen else None
