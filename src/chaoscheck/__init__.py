"""QuickCheck for chaos: generated fault sequences, shrunk to the shortest failing story.

Every public name is here and is imported when it is first used, so that a pytest start which
does not use chaoscheck pays nothing for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hypothesis.stateful import Bundle, consumes, multiple, precondition

    from chaoscheck import errors
    from chaoscheck.checks.linearizability import linearizable
    from chaoscheck.checks.model import Model
    from chaoscheck.checks.verdict import Verdict
    from chaoscheck.errors import PlanError
    from chaoscheck.history.operations import History
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
    "FastTransport",
    "Fault",
    "FaultPlan",
    "History",
    "LoopbackWorld",
    "Model",
    "PlanError",
    "ScriptedChoices",
    "SeededChoices",
    "Verdict",
    "VirtualWorld",
    "consumes",
    "errors",
    "faults",
    "find_counterexample",
    "initialize",
    "invariant",
    "linearizable",
    "multiple",
    "precondition",
    "rule",
]

# Where each public name is defined.
_DEFINED_IN = {
    "Bundle": "hypothesis.stateful",
    "ChaosMachine": "chaoscheck.stateful.machine",
    "ChaosServer": "chaoscheck.server.chaos_server",
    "FastTransport": "chaoscheck.wire.fast_transport",
    "Fault": "chaoscheck.plan.fault",
    "FaultPlan": "chaoscheck.plan.fault_plan",
    "History": "chaoscheck.history.operations",
    "LoopbackWorld": "chaoscheck.world.loopback",
    "Model": "chaoscheck.checks.model",
    "PlanError": "chaoscheck.errors",
    "ScriptedChoices": "chaoscheck.world.choices",
    "SeededChoices": "chaoscheck.world.choices",
    "Verdict": "chaoscheck.checks.verdict",
    "VirtualWorld": "chaoscheck.world.virtual",
    "consumes": "hypothesis.stateful",
    "find_counterexample": "chaoscheck.stateful.search",
    "initialize": "chaoscheck.stateful.rules",
    "invariant": "chaoscheck.stateful.rules",
    "linearizable": "chaoscheck.checks.linearizability",
    "multiple": "hypothesis.stateful",
    "precondition": "hypothesis.stateful",
    "rule": "chaoscheck.stateful.rules",
}

# Names that are whole modules.
_MODULES = {"errors": "chaoscheck.errors", "faults": "chaoscheck.plan.catalogue"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value: Any = import_module(_MODULES[name])
    elif name in _DEFINED_IN:
        value = getattr(import_module(_DEFINED_IN[name]), name)
    else:
        raise AttributeError(f"module 'chaoscheck' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
