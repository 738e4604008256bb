"""Hypothesis profiles: ``dev``, ``ci`` and ``nightly``, each with its example database on.

Hypothesis loads a ``ci`` profile of its own wherever ``CI`` is set, and that one derandomizes and
switches the database off, so that a failure found yesterday is forgotten today. Every field that
it changes is therefore written out here, and nothing is inherited from what happens to be loaded.
``docs/profiles.md`` gives the reason for each.
"""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.errors import InvalidArgument

__all__ = [
    "EXAMPLES_DIRECTORY",
    "MAX_EXAMPLES",
    "NIGHTLY_EXPLORE_S",
    "register",
    "register_if_missing",
    "schedules_by_default",
    "seconds_to_explore",
    "seed_command",
]

EXAMPLES_DIRECTORY = Path(".hypothesis/examples")
"""Where failing examples are kept, from the directory in which pytest was started."""

MAX_EXAMPLES = {
    # 100 keep `ci/properties` within 90 s on 2 cores. CI has the same time and so the same number,
    # under a name of its own that settles what `CI` would otherwise set. A night has more.
    "dev": 100,
    "ci": 100,
    "nightly": 2000,
}
"""Examples per property, by profile."""

NIGHTLY_EXPLORE_S = 2.0
"""CPU seconds that the explorer has for each machine under ``nightly``, before Hypothesis begins.

The explorer needs tens of milliseconds for a bug of a few steps, so this is room for rare ones,
and little beside the 2000 examples that follow.
"""

# A wall-clock measurement of how fast examples are drawn says something about the machine's load,
# and nothing about a law; every other health check points at a property that tests too little.
_SUPPRESSED = (HealthCheck.too_slow,)


def register() -> None:
    """Register the three profiles; load none. Registering again changes nothing.

    A profile of the same name is replaced, Hypothesis's own ``ci`` included.
    """
    for name in MAX_EXAMPLES:
        _register(name)


def register_if_missing(name: str) -> None:
    """Register one of ours that was asked for by name; any other name, or one taken, is left."""
    if name not in MAX_EXAMPLES:
        return
    try:
        settings.get_profile(name)
    except InvalidArgument:
        _register(name)


def seed_command(node: str, test: object) -> str | None:
    """What repeats the search of a property that has just failed under a profile of ours.

    ``test`` is the function that ``@given`` made; None where its seed was not drawn afresh, or
    another profile is loaded: what those print is not our business.
    """
    if settings.get_current_profile_name() not in MAX_EXAMPLES:
        return None
    seed = getattr(test, "_hypothesis_internal_use_generated_seed", None)
    return None if seed is None else f"pytest '{node}' --hypothesis-seed={seed}"


def seconds_to_explore() -> float | None:
    """What the profile that is loaded gives the explorer for each machine, in CPU seconds.

    None: a short slice where a machine has operations in flight.
    """
    return NIGHTLY_EXPLORE_S if settings.get_current_profile_name() == "nightly" else None


def schedules_by_default() -> str:
    """The schedules that the profile that is loaded searches machines with.

    Orders that no present trio shows are for the night: what they find is no bug of today.
    """
    return "any" if settings.get_current_profile_name() == "nightly" else "fair"


def _register(name: str) -> None:
    settings.register_profile(
        name,
        max_examples=MAX_EXAMPLES[name],
        database=DirectoryBasedExampleDatabase(EXAMPLES_DIRECTORY),
        derandomize=False,
        # Time is virtual; what an example takes on the wall is no promise of ours.
        deadline=None,
        # The failing story carries its own replay command.
        print_blob=False,
        # Without it a run stops at the first bug and says nothing of a second one.
        report_multiple_bugs=True,
        # "explain" would name lines of chaoscheck that only failing stories reach, after
        # many more runs of each story.
        phases=tuple(phase for phase in Phase if phase is not Phase.explain),
        stateful_step_count=50,
        suppress_health_check=_SUPPRESSED,
        verbosity=Verbosity.normal,
    )
