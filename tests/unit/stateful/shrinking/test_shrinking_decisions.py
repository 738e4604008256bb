"""What chance had to answer becomes as small as it can."""

from __future__ import annotations

from typing import ClassVar

import pytest

from chaoscheck.plan.program import Decision
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.rules import rule
from tests.unit.stateful.shrinking.test_domain_pass import shrunk
from tests.unit.stateful.stories import story


class Rolling(ChaosMachine):
    """Lets the world's chance roll a die of ten sides, 0 first, and bears only small numbers."""

    least: ClassVar[int] = 1

    @rule()
    def roll(self) -> None:
        assert self.world.choices.pick("die", 10) < self.least


class RollingHigh(Rolling):
    """Bears a 1 as well."""

    least: ClassVar[int] = 2


@pytest.mark.parametrize("machine", [Rolling, RollingHigh])
def test_a_decision_of_chance_that_matters_becomes_as_small_as_it_can(
    machine: type[Rolling],
) -> None:
    """A story says the least that chance had to answer: first 1 is tried, then halves."""
    found = shrunk(machine, story("roll", decisions=[Decision(1, "die", 0, 9)]))

    assert (Decision(1, "die", 0, machine.least),) == found.program.decisions
