"""How a machine becomes a test: Hypothesis's own run, then the guard on declared faults."""

from __future__ import annotations

import unittest
from functools import lru_cache
from typing import Any

from hypothesis import Phase
from hypothesis import settings as Settings
from hypothesis.errors import DidNotReproduce
from hypothesis.stateful import run_state_machine_as_test

from chaoscheck.errors import PlanError

__all__ = ["machine_test_case", "run_machine"]

# A rare fault may be missed by chance: the search goes on this many times, each time with the
# missing faults alone, before the guard says that the machine cannot reach them.
_SEARCHES_MAX = 4


def run_machine(machine: Any, settings: Settings | None = None) -> None:
    """Run a chaos machine as a test: raises what it found, minimal and with its story printed.

    Afterwards every fault that the machine declares must have had an effect, else NotExercised.
    A replay (one example by design) and a run without the generate phase skip that guard.
    """
    __tracebackhide__ = True
    settings = settings or Settings()
    exercise = machine._exercise
    exercise.reset()
    if _is_replay(machine):
        _replay(machine, settings)
        return
    run_state_machine_as_test(machine, settings=settings)
    if Phase.generate not in settings.phases:
        return
    for _ in range(_SEARCHES_MAX - 1):
        missing = exercise.missing()
        if not missing:
            break
        narrowed = _narrowed(machine, missing)
        run_state_machine_as_test(narrowed, settings=settings)
        exercise.add(narrowed._exercise.hits, narrowed._exercise.examples)
    exercise.require(machine.__name__)


def _narrowed(machine: Any, missing: list[str]) -> Any:
    """The same machine and laws with no other faults than these, so that they come up often."""
    return type(machine)(
        machine.__name__,
        (machine,),
        {
            "__module__": machine.__module__,
            "faults": tuple(kind for kind in machine.faults if kind.name in missing),
            "links": tuple(name for name in machine.links if name in missing),
        },
    )


def _replay(machine: Any, settings: Settings) -> None:
    try:
        run_state_machine_as_test(machine, settings=settings)
    except DidNotReproduce:
        raise PlanError(
            f"this story does not fail on {machine.__name__} as it is now: it was fixed, or the "
            f"machine changed, or the blob belongs to another machine"
        ) from None


def _is_replay(machine: Any) -> bool:
    return getattr(machine, "_hypothesis_internal_use_reproduce_failure", None) is not None


@lru_cache
def machine_test_case(machine: Any) -> type[unittest.TestCase]:
    """A unittest.TestCase that runs the machine with the settings of the loaded profile."""

    class ChaosTestCase(unittest.TestCase):
        # Hypothesis's "explain" would name lines of this engine, after many more runs.
        settings = Settings(phases=[phase for phase in Settings().phases if phase != Phase.explain])

        def runTest(self) -> None:  # noqa: N802  # unittest's name
            __tracebackhide__ = True
            run_machine(machine, self.settings)

        runTest.is_hypothesis_test = True  # type: ignore[attr-defined]
        runTest._hypothesis_state_machine_class = machine  # type: ignore[attr-defined]

    ChaosTestCase.__name__ = f"{machine.__name__}.TestCase"
    ChaosTestCase.__qualname__ = f"{machine.__qualname__}.TestCase"
    ChaosTestCase.__module__ = machine.__module__
    return ChaosTestCase
