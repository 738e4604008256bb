"""How far a run goes on for faults that its first search did not exercise."""

from __future__ import annotations

from typing import ClassVar

import httpx
from hypothesis import settings

from chaoscheck import ChaosMachine, invariant, rule
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.faults.status_429 import Status429
from chaoscheck.plan.faults.status_500 import Status500
from chaoscheck.plan.faults.status_502 import Status502
from chaoscheck.plan.faults.status_503 import Status503
from chaoscheck.plan.faults.status_504 import Status504
from chaoscheck.stateful.running import run_machine
from chaoscheck.wire.fast_transport import FastTransport

EXAMPLES = 100
# An engine adds a few examples to what it is asked for: its first ones are the simplest.
EXTRA_MAX = 10


class SilentWithFive(ChaosMachine):
    """Asks nothing while five faults are declared, so that all of them are missed at first."""

    faults: ClassVar[tuple[type[Fault], ...]] = (
        Status429,
        Status500,
        Status502,
        Status503,
        Status504,
    )

    def setup(self) -> None:
        """A server and no reply yet."""
        self.server = self.chaos.serve()

    @rule()
    async def ask(self) -> None:
        """One request, in a narrowed search alone."""
        if len(self.faults) < len(SilentWithFive.faults):
            async with httpx.AsyncClient(transport=FastTransport()) as client:
                await client.get("http://api.test/v1/models")

    @invariant()
    def whatever_comes_is_right(self) -> None:
        """Judges all that happened."""


def test_a_search_for_missing_faults_ends_when_they_were_exercised() -> None:
    """I do not wait for the rest of its examples: two groups of faults take 20 each, not 50."""
    limits = settings(max_examples=EXAMPLES, stateful_step_count=20, database=None, deadline=None)

    run_machine(SilentWithFive, limits)

    assert [] == SilentWithFive._tally.missing()
    assert SilentWithFive._tally.examples <= EXAMPLES + 2 * 20 + 3 * EXTRA_MAX
