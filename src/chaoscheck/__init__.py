"""QuickCheck for chaos: generated fault sequences, shrunk to the shortest failing story.

Every public name is here and is imported when it is first used, so that a pytest start which
does not use chaoscheck pays nothing for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hypothesis.stateful import Bundle, consumes, multiple, precondition

    from chaoscheck.errors import (
        Deadlock,
        Escape,
        Livelock,
        NotExercised,
        PlanError,
        SubjectError,
        WorldError,
    )
    from chaoscheck.plan import catalogue as faults
    from chaoscheck.plan.fault import Fault
    from chaoscheck.plan.fault_plan import FaultPlan
    from chaoscheck.server.chaos_server import ChaosServer
    from chaoscheck.stateful.machine import ChaosMachine
    from chaoscheck.stateful.rules import initialize, invariant, rule
    from chaoscheck.stateful.search import find_counterexample
    from chaoscheck.wire.fast_transport import FastTransport
    from chaoscheck.world.choices import ScriptedChoices, SeededChoices
    from chaoscheck.world.loopback import LoopbackWorld
    from chaoscheck.world.virtual import VirtualWorld

__version__ = "0.1.0"

__all__ = [
    "Bundle",
    "ChaosMachine",
    "ChaosServer",
    "Deadlock",
    "Escape",
    "FastTransport",
    "Fault",
    "FaultPlan",
    "Livelock",
    "LoopbackWorld",
    "NotExercised",
    "PlanError",
    "ScriptedChoices",
    "SeededChoices",
    "SubjectError",
    "VirtualWorld",
    "WorldError",
    "consumes",
    "faults",
    "find_counterexample",
    "initialize",
    "invariant",
    "multiple",
    "precondition",
    "rule",
]

# Where each public name is defined.
_DEFINED_IN = {
    "Bundle": "hypothesis.stateful",
    "ChaosMachine": "chaoscheck.stateful.machine",
    "ChaosServer": "chaoscheck.server.chaos_server",
    "Deadlock": "chaoscheck.errors",
    "Escape": "chaoscheck.errors",
    "FastTransport": "chaoscheck.wire.fast_transport",
    "Fault": "chaoscheck.plan.fault",
    "FaultPlan": "chaoscheck.plan.fault_plan",
    "Livelock": "chaoscheck.errors",
    "LoopbackWorld": "chaoscheck.world.loopback",
    "NotExercised": "chaoscheck.errors",
    "PlanError": "chaoscheck.errors",
    "ScriptedChoices": "chaoscheck.world.choices",
    "SeededChoices": "chaoscheck.world.choices",
    "SubjectError": "chaoscheck.errors",
    "VirtualWorld": "chaoscheck.world.virtual",
    "WorldError": "chaoscheck.errors",
    "consumes": "hypothesis.stateful",
    "find_counterexample": "chaoscheck.stateful.search",
    "initialize": "chaoscheck.stateful.rules",
    "invariant": "chaoscheck.stateful.rules",
    "multiple": "hypothesis.stateful",
    "precondition": "hypothesis.stateful",
    "rule": "chaoscheck.stateful.rules",
}


def __getattr__(name: str) -> Any:
    if name == "faults":
        value: Any = import_module("chaoscheck.plan.catalogue")
    elif name in _DEFINED_IN:
        value = getattr(import_module(_DEFINED_IN[name]), name)
    else:
        raise AttributeError(f"module 'chaoscheck' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
