"""Wrong transforms, and wrong parts of right ones, in the pipeline. The law: laws of A.

The laws are those of ``properties/test_llm_pipeline.py``, all of them. Only the chaos is
narrowed to the kinds of faults that a bug needs, and a story to a few rows: one example of the
whole pipeline takes some 70 ms, and a search with its shrinking runs hundreds of them.
"""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import httpx
import trio
from hypothesis import strategies as st

from chaoscheck import Fault, multiple, rule
from chaoscheck.components.aimd_throttle import AimdThrottle
from chaoscheck.components.llm_reply import LlmReply
from chaoscheck.components.openrouter_transform import OpenRouterLLMTransform, RowQuery
from chaoscheck.components.output_port import RowResult
from chaoscheck.components.pooled_executor import Backoff, PooledExecutor, QueryCourse
from chaoscheck.components.query import QueryError
from chaoscheck.components.reorder_buffer import ReorderBuffer
from chaoscheck.components.retry import Retry
from chaoscheck.plan.faults.invalid_json import InvalidJson
from chaoscheck.plan.faults.reset_before_headers import ResetBeforeHeaders
from chaoscheck.plan.faults.slow_response import SlowResponse
from chaoscheck.plan.faults.status_429 import Status429
from chaoscheck.plan.faults.status_500 import Status500
from properties.test_llm_pipeline import NO_TLS, POOL, LLMPipeline, Row
from tests.quality.planted_bug import PlantedBug
from tests.quality.twins_reorder import MovesTheLast

__all__ = ["PIPELINE_BUGS", "NarrowPipeline"]

Faults = tuple[type[Fault], ...]
ROWS_MAX = 8  # more than the slots, the connections and the room for pending rows


class NarrowPipeline(LLMPipeline):
    """Rows, eviction, time and a few faults of the server; the link and the load are well."""

    faults: ClassVar[Faults] = (
        Status429,
        Status500,
        InvalidJson,
        SlowResponse,
        ResetBeforeHeaders,
    )
    links: ClassVar[tuple[str, ...]] = ()
    # Rules that are inherited, and left out here.
    cut = half_close = refuse = reset = heal_link = None
    cap_concurrency: Any = None
    limit_rate: Any = None
    slow_link: Any = None

    evict: Any = None

    def setup(self) -> None:
        """Nothing that is drawn once may move when an early step is left out."""
        super().setup()
        self.world.random_bytes(1)

    @rule(position=st.integers(0, 5))
    def evict_from_the_line(self, position: int) -> None:
        """Give up the row at this place among those that are pending."""
        pending = self.transform.pending
        for row in self.submitted:
            if row.ticket in pending[position : position + 1]:
                self.give_up(row)

    def give_up(self, row: Row) -> None:
        """What evicting a row is in the whole pipeline."""
        assert row.ticket is not None
        row.evicted = self.transform.evict(row.ticket) or row.evicted

    @rule(target=LLMPipeline.rows, count=st.integers(1, 5))
    def submit(self, count: int) -> Any:
        """Rows set out together, as long as there are not too many in this story."""
        return multiple(*(self._submit() for _ in range(count) if len(self.submitted) < ROWS_MAX))

    executor_type: ClassVar[type[PooledExecutor]] = PooledExecutor

    def make_executor(self) -> PooledExecutor:
        """The pool of the whole pipeline, or a wrong one."""
        return self.executor_type(
            POOL.pool_size,
            POOL.max_seconds,
            throttle=self.make_throttle(),
            retry=self.make_retry(),
            on_attempt=self.attempts.append,
        )


# ---------------------------------------------------------------------- transforms


class DropsOnTheLastRetry(OpenRouterLLMTransform):
    """Breaks "Rows in = terminal outcomes out": a row whose attempts are used up vanishes."""

    def _finish(self, result: RowResult) -> None:
        if result.error is not None and result.error["reason"] == "attempts_exhausted":
            self._buffer.evict(result.ticket)
            self._emit_ready()
        else:
            super()._finish(result)


class NeverFinishesFailures(OpenRouterLLMTransform):
    """Breaks "evicting or finishing any ticket never stalls a later one": failed rows stay."""

    def _finish(self, result: RowResult) -> None:
        if result.ok:
            super()._finish(result)


class ReordersOnEviction(OpenRouterLLMTransform):
    """Breaks "emitted = tickets in order minus evicted", when a row in the middle is evicted."""

    def _new_buffer(self) -> ReorderBuffer[RowResult]:
        buffer = super()._new_buffer()
        buffer._line = MovesTheLast()
        return buffer


class HandsOverTwice(OpenRouterLLMTransform):
    """Breaks "nothing twice".

    A row goes out as soon as its body is parsed, and is then confirmed on the same connection;
    a reset after the body, which hits the confirmation, makes it hand over the row again.
    """

    async def _complete_row(self, under_way: Any) -> None:
        headers = {"Idempotency-Key": f"confirm-{under_way.ticket}"}
        with under_way.scope:
            result = await self._result_of(under_way)
            if self._rows.pop(under_way.ticket, None) is not None:
                self._finish(result)
            try:
                await self._client.post(
                    self._url, content=self._payload({"text": ""}), headers=headers
                )
            except httpx.TransportError:
                if under_way.ticket not in self.pending:
                    self._output.emit(result)


class MixesRows(OpenRouterLLMTransform):
    """Breaks "a successful row carries exactly what the server sent for that row"."""

    latest: LlmReply

    async def _call(self, query: RowQuery, number: int) -> LlmReply:
        self.latest = await super()._call(query, number)
        await trio.lowlevel.checkpoint()
        return self.latest


class ConnectsEachTime(OpenRouterLLMTransform):
    """Breaks "with L < pool_size connections, <= L are open": each row has a client of its own."""

    def __init__(self, client: httpx.AsyncClient, **rest: Any) -> None:
        super().__init__(client, **rest)
        self.clients: dict[int, httpx.AsyncClient] = {}

    async def _call(self, query: RowQuery, number: int) -> LlmReply:
        apart = copy.copy(self)
        apart._client = self.clients.setdefault(query.ticket, httpx.AsyncClient(verify=NO_TLS))
        return await OpenRouterLLMTransform._call(apart, query, number)


class GivesUpOnServerErrors(OpenRouterLLMTransform):
    """Breaks "Retryable: ... every 5xx": a 500 fails the row for good."""

    async def _call(self, query: RowQuery, number: int) -> LlmReply:
        try:
            return await super()._call(query, number)
        except QueryError as error:
            if error.status_code == 500:
                error.kind = "permanent"
            raise


class NeverComesBack(OpenRouterLLMTransform):
    """Breaks "after an explicit heal the next K probes all succeed": once broken, for ever."""

    broken = False

    async def _call(self, query: RowQuery, number: int) -> LlmReply:
        if self.broken:
            raise QueryError("given up", kind="permanent", reason="broken", error_type="broken")
        try:
            return await super()._call(query, number)
        except QueryError as error:
            self.broken = error.kind == "permanent"
            raise


# ---------------------------------------------------------------------- parts of the pool


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


# ---------------------------------------------------------------------- machines


class DropsOnTheLastRetryPipeline(NarrowPipeline):
    """Server errors until a row's attempts are used up."""

    faults: ClassVar[Faults] = (Status500,)
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = DropsOnTheLastRetry


class NeverFinishesFailuresPipeline(NarrowPipeline):
    """Broken replies."""

    faults: ClassVar[Faults] = (InvalidJson,)
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = NeverFinishesFailures


class ReordersOnEvictionPipeline(NarrowPipeline):
    """Slow replies, so that rows are there to be evicted."""

    faults: ClassVar[Faults] = (SlowResponse,)
    set_rate = heal_everything = None
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = ReordersOnEviction


class HandsOverTwicePipeline(NarrowPipeline):
    """Faults one by one: the row is merely slow, and its confirmation is reset."""

    faults: ClassVar[Faults] = (SlowResponse, ResetBeforeHeaders)
    set_rate = heal_everything = None
    evict_from_the_line: Any = None
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = HandsOverTwice


class MixesRowsPipeline(NarrowPipeline):
    """Slow replies; they are not needed."""

    faults: ClassVar[Faults] = (SlowResponse,)
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = MixesRows


class ConnectsEachTimePipeline(NarrowPipeline):
    """No fault at all."""

    faults: ClassVar[Faults] = ()
    next_fault = set_rate = None
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = ConnectsEachTime


class GivesUpOnServerErrorsPipeline(NarrowPipeline):
    """Server errors."""

    faults: ClassVar[Faults] = (Status500,)
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = GivesUpOnServerErrors


class NeverComesBackPipeline(NarrowPipeline):
    """Broken replies."""

    faults: ClassVar[Faults] = (InvalidJson,)
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = NeverComesBack


class RestartsBelowTheStepPipeline(NarrowPipeline):
    """Refusals."""

    faults: ClassVar[Faults] = (Status429,)

    def make_throttle(self) -> AimdThrottle:
        """The throttle that starts too low."""
        return RestartsBelowTheStep()


class BacksOffTooSteeplyPipeline(NarrowPipeline):
    """Server errors."""

    faults: ClassVar[Faults] = (Status500,)

    def make_retry(self) -> Retry:
        """The schedule that is one step ahead."""
        return BacksOffTooSteeply(POOL.max_failures, 0.5, 4.0)


class RetriesPermanentErrorsPipeline(NarrowPipeline):
    """Broken replies."""

    faults: ClassVar[Faults] = (InvalidJson,)
    executor_type: ClassVar[type[PooledExecutor]] = RetriesPermanentErrors


class IgnoresRetryAfterPipeline(NarrowPipeline):
    """Refusals."""

    faults: ClassVar[Faults] = (Status429,)
    executor_type: ClassVar[type[PooledExecutor]] = IgnoresRetryAfter


PIPELINE_BUGS: tuple[PlantedBug, ...] = (
    PlantedBug(
        name="pipeline-drops-a-row-on-the-last-retry",
        what="A row whose attempts are used up vanishes instead of coming out as an error.",
        machine=DropsOnTheLastRetryPipeline,
        sound=NarrowPipeline,
        laws=(
            "each_row_has_one_outcome_that_its_faults_explain",
            "no_earlier_row_holds_up_a_finished_one",
        ),
        # Four server errors, one row, and the time of three backoffs.
        smallest_known_steps=6,
        shows=("chaos.next_fault(status_500",),
    ),
    PlantedBug(
        name="pipeline-out-of-order-after-eviction",
        what="Evicting a row that is not the head lets a later row overtake.",
        machine=ReordersOnEvictionPipeline,
        sound=NarrowPipeline,
        laws=("rows_leave_in_order_and_once",),
        # Four rows, the first is slow, settle, evict the second; the end of every story waits.
        budget=200,
        # Four rows, the first is slow, settle, evict the second, time passes.
        smallest_known_steps=5,
        shows=("state.evict_from_the_line(position=", "chaos.next_fault(slow_response"),
    ),
    PlantedBug(
        name="pipeline-aimd-restarts-from-the-wrong-floor",
        what="After the first refusal the throttle waits half a step, not a whole one.",
        machine=RestartsBelowTheStepPipeline,
        sound=NarrowPipeline,
        laws=("the_pool_keeps_its_laws",),
        # One refusal, one row, settle.
        smallest_known_steps=3,
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
        # One broken reply, one row, time passes.
        smallest_known_steps=3,
        shows=("chaos.next_fault(invalid_json",),
    ),
    PlantedBug(
        name="pipeline-row-twice-after-a-late-reset",
        what="A reset after the body makes a row that is already out come out again.",
        machine=HandsOverTwicePipeline,
        sound=NarrowPipeline,
        laws=("rows_leave_in_order_and_once",),
        budget=200,
        # A slow reply for the row, a reset for its confirmation, one row, time passes.
        smallest_known_steps=4,
        shows=("chaos.next_fault(reset_before_headers",),
    ),
    PlantedBug(
        name="pipeline-ignores-retry-after",
        what="A server that asks for time is asked again at once.",
        machine=IgnoresRetryAfterPipeline,
        sound=NarrowPipeline,
        laws=("retry_after_is_obeyed", "the_pool_keeps_its_laws"),
        # One refusal with Retry-After, one row, time passes.
        smallest_known_steps=3,
        shows=("chaos.next_fault(status_429(retry_after_s=",),
    ),
    PlantedBug(
        name="pipeline-mixes-rows",
        what="Two rows in flight get the content of one.",
        machine=MixesRowsPipeline,
        sound=NarrowPipeline,
        laws=("a_good_row_carries_what_the_server_sent",),
        # Two rows, settle.
        smallest_known_steps=2,
        shows=("state.submit(count=2)",),
    ),
    PlantedBug(
        name="pipeline-connects-each-time",
        what="Every row opens a connection of its own.",
        machine=ConnectsEachTimePipeline,
        sound=NarrowPipeline,
        laws=("connections_stay_within_the_limit",),
        # Three rows, settle.
        smallest_known_steps=2,
        shows=("state.submit(count=3)",),
    ),
    PlantedBug(
        name="pipeline-gives-up-on-server-errors",
        what="A 500 fails the row although another attempt was due.",
        machine=GivesUpOnServerErrorsPipeline,
        sound=NarrowPipeline,
        laws=("each_row_has_one_outcome_that_its_faults_explain", "the_pool_keeps_its_laws"),
        # One server error, one row, settle.
        smallest_known_steps=3,
        shows=("chaos.next_fault(status_500",),
    ),
    PlantedBug(
        name="pipeline-never-finishes-failures",
        what="A failed row stays pending for ever, and all that come after it.",
        machine=NeverFinishesFailuresPipeline,
        sound=NarrowPipeline,
        laws=("everything_came_to_an_end",),
        # One broken reply, one row; the end of every story.
        smallest_known_steps=4,
        shows=("chaos.next_fault(invalid_json",),
    ),
    PlantedBug(
        name="pipeline-never-comes-back",
        what="One broken reply, and no row succeeds ever again.",
        machine=NeverComesBackPipeline,
        sound=NarrowPipeline,
        laws=(
            "new_rows_succeed_again",
            "each_row_has_one_outcome_that_its_faults_explain",
        ),
        # One broken reply, one row, settle.
        smallest_known_steps=3,
        shows=("chaos.next_fault(invalid_json",),
    ),
    PlantedBug(
        name="pipeline-backs-off-too-steeply",
        what="The first delay after a failure is already twice the base.",
        machine=BacksOffTooSteeplyPipeline,
        sound=NarrowPipeline,
        laws=("transient_delays_are_exact_and_bounded",),
        # One server error, one row, time passes.
        smallest_known_steps=3,
        shows=("chaos.next_fault(status_500",),
    ),
)
