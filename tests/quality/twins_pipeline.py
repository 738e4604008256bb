"""Wrong parts of a right transform, in a narrow pipeline. The law: laws of A and C, Retry."""

from __future__ import annotations

from typing import Any, ClassVar

from chaoscheck.components.aimd_throttle import AimdThrottle
from chaoscheck.components.pooled_executor import Backoff, PooledExecutor, QueryCourse
from chaoscheck.components.query import QueryError
from chaoscheck.components.retry import Retry
from chaoscheck.plan.faults.invalid_json import InvalidJson
from chaoscheck.plan.faults.status_429 import Status429
from chaoscheck.plan.faults.status_500 import Status500
from properties.test_llm_pipeline import POOL
from tests.quality.narrow_pipeline import Faults, NarrowPipeline, OneByOnePipeline
from tests.quality.planted_bug import PlantedBug

__all__ = ["PIPELINE_BUGS"]


class RestartsBelowTheStep(AimdThrottle):
    """Breaks "Floor f = max(step, min)": the first delay after none is half a step."""

    def _floor_ms(self) -> float:
        return super()._floor_ms() / 2


class BacksOffTooSteeply(Retry):
    """Breaks "d_i = min(cap, base * 2^(i-1))": the count starts at 0 elsewhere."""

    def _exponential_s(self, i: int) -> float:
        return super()._exponential_s(i + 1)


class RetriesPermanentErrors(PooledExecutor):
    """Breaks "No retry of a permanent error"."""

    def _may_retry(self, course: QueryCourse[Any], error: QueryError) -> bool:
        return error.capacity or course.failures < self.retry.attempts


class IgnoresRetryAfter(PooledExecutor):
    """Breaks "a server's Retry-After is a lower bound"."""

    def _next_delay(self, own_s: float, error: QueryError) -> Backoff:
        return Backoff(own_s=own_s, delay_s=own_s, why="aimd" if error.capacity else "retry")


class RestartsBelowTheStepPipeline(OneByOnePipeline):
    """Refusals."""

    faults: ClassVar[Faults] = (Status429,)
    rows_max: ClassVar[int] = 3

    def make_throttle(self) -> AimdThrottle:
        """The throttle that starts too low."""
        return RestartsBelowTheStep()


class BacksOffTooSteeplyPipeline(OneByOnePipeline):
    """Server errors."""

    faults: ClassVar[Faults] = (Status500,)
    rows_max: ClassVar[int] = 3

    def make_retry(self) -> Retry:
        """The schedule that is one step ahead."""
        return BacksOffTooSteeply(POOL.max_failures, 0.5, 4.0)


class RetriesPermanentErrorsPipeline(OneByOnePipeline):
    """Broken replies."""

    faults: ClassVar[Faults] = (InvalidJson,)
    rows_max: ClassVar[int] = 3
    executor_type: ClassVar[type[PooledExecutor]] = RetriesPermanentErrors


class IgnoresRetryAfterPipeline(OneByOnePipeline):
    """Refusals."""

    faults: ClassVar[Faults] = (Status429,)
    rows_max: ClassVar[int] = 3
    executor_type: ClassVar[type[PooledExecutor]] = IgnoresRetryAfter


PIPELINE_BUGS: tuple[PlantedBug, ...] = (
    PlantedBug(
        name="pipeline-aimd-restarts-from-the-wrong-floor",
        what="After the first refusal the throttle waits half a step, not a whole one.",
        machine=RestartsBelowTheStepPipeline,
        sound=NarrowPipeline,
        laws=("the_pool_keeps_its_laws",),
        # One refusal, one row.
        smallest_known_steps=2,
        shows=("chaos.next_fault(status_429",),
    ),
    PlantedBug(
        name="pipeline-retries-a-permanent-error",
        what="A reply that can only be wrong again is paid for again.",
        machine=RetriesPermanentErrorsPipeline,
        sound=NarrowPipeline,
        laws=(
            "the_pool_keeps_its_laws",
            "each_row_has_one_outcome_that_its_faults_explain",
        ),
        # One broken reply, one row.
        smallest_known_steps=2,
        shows=("chaos.next_fault(invalid_json",),
    ),
    PlantedBug(
        name="pipeline-ignores-retry-after",
        what="A server that asks for time is asked again at once.",
        machine=IgnoresRetryAfterPipeline,
        sound=NarrowPipeline,
        laws=("retry_after_is_obeyed", "the_pool_keeps_its_laws"),
        # One refusal with Retry-After, one row.
        smallest_known_steps=2,
        shows=("chaos.next_fault(status_429(retry_after_s=",),
    ),
    PlantedBug(
        name="pipeline-backs-off-too-steeply",
        what="The first delay after a failure is already twice the base.",
        machine=BacksOffTooSteeplyPipeline,
        sound=NarrowPipeline,
        laws=("transient_delays_are_exact_and_bounded",),
        # One server error, one row.
        smallest_known_steps=2,
        shows=("chaos.next_fault(status_500",),
    ),
)
