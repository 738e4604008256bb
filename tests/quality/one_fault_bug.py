"""Bugs that one fault brings to light: wrong variants in pipelines that know this fault only.

A table of them is kept for each family of faults. Every machine has few rows and one fault at a
time, so that a search is over in some milliseconds an example.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from chaoscheck import Fault
from chaoscheck.components.openrouter_transform import OpenRouterLLMTransform
from chaoscheck.components.pooled_executor import PooledExecutor
from chaoscheck.plan.program import Literal, Program, Step
from tests.quality.narrow_pipeline import OneByOnePipeline
from tests.quality.planted_bug import PlantedBug

__all__ = ["OUTCOME_LAWS", "OneFaultBug", "one_fault_bug"]

#: What a wrong judgement of one attempt breaks.
OUTCOME_LAWS = (
    "each_row_has_one_outcome_that_its_faults_explain",
    "a_good_row_carries_what_the_server_sent",
    "the_pool_keeps_its_laws",
)
_BUDGET = 100
_LATER_S = 30.0  # more than a request's time-out


@dataclass(frozen=True, slots=True, kw_only=True)
class OneFaultBug(PlantedBug):
    """A planted bug that ``fault`` shows, and no other of its family but those of ``also``.

    These look the same to a client. ``waits`` tells that the bug needs time as well.
    """

    fault: type[Fault]
    also: tuple[str, ...] = ()
    waits: bool = False

    def story(self, fault: Fault | None) -> Program:
        """One row that meets ``fault``, or none, and the time that the bug takes."""
        steps = [] if fault is None else [_step(1, "next_fault", fault=fault)]
        steps.append(_step(2, "submit", count=1))
        if self.waits:
            steps.append(_step(3, "let_time_pass", seconds=_LATER_S))
        return Program(steps=tuple(steps))


def _step(number: int, rule: str, **arguments: Any) -> Step:
    given = {name: Literal(value) for name, value in arguments.items()}
    return Step(number=number, rule=rule, arguments=given)


class _FewRowsPipeline(OneByOnePipeline):
    """Few rows, one fault at a time, and nobody who gives up; the end heals and waits."""

    evict: Any = None
    heal_everything = settle = None
    rows_max: ClassVar[int] = 3


def one_fault_bug(
    fault: type[Fault],
    what: str,
    *,
    sound: type[OneByOnePipeline],
    transform: type[OpenRouterLLMTransform] = OpenRouterLLMTransform,
    executor: type[PooledExecutor] = PooledExecutor,
    **rest: Any,
) -> OneFaultBug:
    """The bug of these wrong parts; ``rest`` are its ``name`` and what differs from the usual."""
    machine = type(
        f"{fault.__name__}Alone",
        (_FewRowsPipeline,),
        {
            "__doc__": what,
            "faults": (fault,),
            "streaming": sound.streaming,
            "fates": sound.fates,
            "transform_type": transform,
            "executor_type": executor,
        }
        | ({} if rest.get("waits") else {"let_time_pass": None}),
    )
    given: dict[str, Any] = {
        "laws": OUTCOME_LAWS,
        # The fault and the row; and the time, where it needs any.
        "smallest_known_steps": 3 if rest.get("waits") else 2,
        "budget": _BUDGET,
        "shows": (f"chaos.next_fault({fault.name}(",),
    }
    return OneFaultBug(fault=fault, what=what, machine=machine, sound=sound, **(given | rest))
