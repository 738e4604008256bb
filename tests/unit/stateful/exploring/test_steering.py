"""Steering: faults and rules that have not met come first; those that have do not come again."""

from __future__ import annotations

from collections import Counter

from chaoscheck import ChaosMachine, Fault, faults, rule
from chaoscheck.stateful.exploring.steering import Steering
from chaoscheck.world.ambient import seeded_random


class Talker(ChaosMachine):
    """Two rules, two faults of the server, one of the link."""

    faults: tuple[type[Fault], ...] = (faults.status_500, faults.status_503)  # type: ignore[misc]
    links = ("cut",)

    @rule()
    def ask(self) -> None:
        pass

    @rule()
    def tell(self) -> None:
        pass


RULES = Talker.setup_state().rules
OWN = [each for each in RULES if each.function.__name__ in ("ask", "tell")]
KINDS = [faults.status_500(), faults.status_503()]


def pairs(steering: Steering) -> set[tuple[str, str]]:
    """What steering proposes, over many draws."""
    generator = seeded_random(0)
    drawn = [steering.pair(OWN, generator) for _ in range(400)]
    return {
        (injecting.function.__name__ if fault is None else fault.name, meeting.function.__name__)
        for injecting, fault, meeting in filter(None, drawn)
    }


def test_every_pair_is_proposed_until_it_has_met() -> None:
    """Three faults and two rules are six pairs; one that had its effect is left out."""
    steering = Steering(RULES, KINDS)
    whole = {(kind, own) for kind in ("status_500", "status_503", "cut") for own in ("ask", "tell")}

    assert whole == pairs(steering)

    steering.begin_example()
    steering.observe("ask", Counter({"status_500": 1}))

    assert whole - {("status_500", "ask")} == pairs(steering)


def test_an_effect_counts_for_the_step_in_which_it_came() -> None:
    """The counts of an example only grow; what a later step sees again is not its own."""
    steering = Steering(RULES, KINDS)
    steering.begin_example()
    steering.observe("ask", Counter({"cut": 2}))
    steering.observe("tell", Counter({"cut": 2}))

    assert ("cut", "tell") in pairs(steering)
    assert ("cut", "ask") not in pairs(steering)


def test_a_machine_without_faults_is_not_steered() -> None:
    """There is nothing to meet."""
    assert set() == pairs(Steering(OWN, KINDS))
