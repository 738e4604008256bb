"""Was every declared fault really hit? A run that never met them tested less than it claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from chaoscheck.errors import NotExercised

__all__ = ["Exercise"]


class Exercise:
    """Counts, over all examples of a run, how often each declared fault had an effect."""

    def __init__(self, declared: Sequence[str]) -> None:
        self.declared = tuple(declared)
        self.hits: Counter[str] = Counter()
        self.examples = 0

    def reset(self) -> None:
        """Begin a new run."""
        self.hits.clear()
        self.examples = 0

    def add(self, hits: Mapping[str, int], examples: int = 1) -> None:
        """Count one example, or the hits of several."""
        self.examples += examples
        self.hits.update(hits)

    def missing(self) -> list[str]:
        """Declared faults that never had an effect."""
        return [name for name in self.declared if not self.hits[name]]

    def require(self, machine: str) -> None:
        """NotExercised when a declared fault never had an effect."""
        missing = self.missing()
        if missing:
            raise NotExercised(
                f"{machine} declares faults that never had an effect in {self.examples} examples: "
                f"{', '.join(missing)}. Raise max_examples, make the subject talk more, or "
                f"do not declare them."
            )
