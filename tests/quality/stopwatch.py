"""When a search met its first failure: what came before is finding, what comes after shrinking."""

from __future__ import annotations

import time

from chaoscheck.report.story import Story
from chaoscheck.stateful.failures import Failures

__all__ = ["Stopwatch"]


class Stopwatch(Failures):
    """Notes when the first example failed."""

    def __init__(self) -> None:
        super().__init__()
        self.first_s: float | None = None

    def add(self, story: Story, examples: int) -> None:
        """An example failed."""
        if self.first_s is None:
            self.first_s = time.process_time()
        super().add(story, examples)
