"""Hypothesis profiles: ``dev``, ``ci`` and ``nightly``, each with its example database on.

Hypothesis loads a ``ci`` profile of its own wherever ``CI`` is set, and that one derandomizes and
switches the database off, so that a failure found yesterday is forgotten today. Every field that
it changes is therefore written out here, and nothing is inherited from what happens to be loaded.
"""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.database import DirectoryBasedExampleDatabase

__all__ = ["EXAMPLES_DIRECTORY", "MAX_EXAMPLES", "register"]

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

# A wall-clock measurement of how fast examples are drawn says something about the machine's load,
# and nothing about a law; every other health check points at a property that tests too little.
_SUPPRESSED = (HealthCheck.too_slow,)


def register() -> None:
    """Register the three profiles; load none. Registering again changes nothing.

    A profile of the same name is replaced, Hypothesis's own ``ci`` included.
    """
    for name, max_examples in MAX_EXAMPLES.items():
        settings.register_profile(
            name,
            max_examples=max_examples,
            database=DirectoryBasedExampleDatabase(EXAMPLES_DIRECTORY),
            derandomize=False,
            # Time is virtual; what an example takes on the wall is no promise of ours.
            deadline=None,
            # The failing story carries its own replay command.
            print_blob=False,
            # "explain" would name lines of chaoscheck that only failing stories reach, after
            # many more runs of each story.
            phases=tuple(phase for phase in Phase if phase is not Phase.explain),
            stateful_step_count=50,
            suppress_health_check=_SUPPRESSED,
            verbosity=Verbosity.normal,
        )
