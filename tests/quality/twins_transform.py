"""Wrong transforms, in a narrow pipeline. The law: laws of A, Transforms and ReorderBuffer."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import httpx
import trio

from chaoscheck.components.llm_reply import LlmReply
from chaoscheck.components.openrouter_transform import OpenRouterLLMTransform, RowQuery
from chaoscheck.components.output_port import RowResult
from chaoscheck.components.query import QueryError
from chaoscheck.components.reorder_buffer import ReorderBuffer
from chaoscheck.plan.faults.invalid_json import InvalidJson
from chaoscheck.plan.faults.reset_before_headers import ResetBeforeHeaders
from chaoscheck.plan.faults.slow_response import SlowResponse
from chaoscheck.plan.faults.status_500 import Status500
from properties.test_llm_pipeline import NO_TLS
from tests.quality.narrow_pipeline import Faults, NarrowPipeline, OneByOnePipeline
from tests.quality.planted_bug import PlantedBug
from tests.quality.twins_reorder import MovesTheLast

__all__ = ["TRANSFORM_BUGS"]


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
        body = self._payload({"text": "confirm"})
        with under_way.scope:
            result = await self._result_of(under_way)
            if self._rows.pop(under_way.ticket, None) is not None:
                self._finish(result)
            try:
                await self._client.post(self._url, content=body, headers=headers, timeout=None)
            except httpx.TransportError:
                if under_way.ticket not in self.pending:
                    self._output.emit(result)


class FinishesInTwoSteps(OpenRouterLLMTransform):
    """Breaks "what was evicted is never emitted": it writes a row down first, then emits it."""

    async def _complete_row(self, under_way: Any) -> None:
        with under_way.scope:
            result = await self._result_of(under_way)
        if self._rows.pop(under_way.ticket, None) is not None:
            await trio.sleep(0.05)
            if under_way.ticket in self.pending:
                self._finish(result)
            else:
                self._output.emit(result)


class LosesWhoGaveUp(OpenRouterLLMTransform):
    """Breaks "cancelled while it waits, it takes no ticket": the ticket of a cancelled accept."""

    def _new_buffer(self) -> ReorderBuffer[RowResult]:
        return KeepsTheTicket(self._settings.max_pending)


class KeepsTheTicket(ReorderBuffer[RowResult]):
    """The buffer of the above: it can be cancelled when it has given a ticket."""

    async def reserve(self) -> int:
        ticket = await super().reserve()
        await trio.lowlevel.checkpoint()
        return ticket


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


class DropsOnTheLastRetryPipeline(NarrowPipeline):
    """Server errors until a row's attempts are used up; here they may come by rate."""

    evict: Any = None
    rows_max: ClassVar[int] = 1
    faults: ClassVar[Faults] = (Status500,)
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = DropsOnTheLastRetry


class NeverFinishesFailuresPipeline(OneByOnePipeline):
    """Broken replies."""

    faults: ClassVar[Faults] = (InvalidJson,)
    rows_max: ClassVar[int] = 5
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = NeverFinishesFailures


class ReordersOnEvictionPipeline(OneByOnePipeline):
    """Slow replies; they are not needed, but rows are there longer to be evicted."""

    faults: ClassVar[Faults] = (SlowResponse,)
    heal_everything = let_time_pass = None
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = ReordersOnEviction


class HandsOverTwicePipeline(NarrowPipeline):
    """Resets by rate, which may spare the row and hit its confirmation."""

    faults: ClassVar[Faults] = (ResetBeforeHeaders,)
    next_fault = None
    evict: Any = None
    rows_max: ClassVar[int] = 3
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = HandsOverTwice


class FinishesInTwoStepsPipeline(OneByOnePipeline):
    """No fault at all: one row, and somebody who gives it up."""

    faults: ClassVar[Faults] = ()
    rows_max: ClassVar[int] = 2
    next_fault = None
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = FinishesInTwoSteps


class LosesWhoGaveUpPipeline(NarrowPipeline):
    """No fault but cancellation."""

    faults: ClassVar[Faults] = ()
    next_fault = set_rate = None
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = LosesWhoGaveUp


class MixesRowsPipeline(OneByOnePipeline):
    """Slow replies; they are not needed."""

    faults: ClassVar[Faults] = (SlowResponse,)
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = MixesRows


class ConnectsEachTimePipeline(OneByOnePipeline):
    """No fault at all."""

    faults: ClassVar[Faults] = ()
    next_fault = None
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = ConnectsEachTime


class GivesUpOnServerErrorsPipeline(OneByOnePipeline):
    """Server errors."""

    faults: ClassVar[Faults] = (Status500,)
    rows_max: ClassVar[int] = 2
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = GivesUpOnServerErrors


class NeverComesBackPipeline(OneByOnePipeline):
    """Broken replies."""

    faults: ClassVar[Faults] = (InvalidJson,)
    rows_max: ClassVar[int] = 1
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = NeverComesBack


TRANSFORM_BUGS: tuple[PlantedBug, ...] = (
    PlantedBug(
        name="pipeline-drops-a-row-on-the-last-retry",
        what="A row whose attempts are used up vanishes instead of coming out as an error.",
        machine=DropsOnTheLastRetryPipeline,
        sound=NarrowPipeline,
        laws=(
            "each_row_has_one_outcome_that_its_faults_explain",
            "no_earlier_row_holds_up_a_finished_one",
        ),
        budget=500,
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
        budget=500,
        # Two who submit two rows each, evict the second before the first is answered. One who
        # submits four does as well, but has to settle first while the first reply is slow.
        smallest_known_steps=3,
        shows=("state.evict(position=1)",),
    ),
    PlantedBug(
        name="pipeline-row-twice-after-a-late-reset",
        what="A reset after the body makes a row that is already out come out again.",
        machine=HandsOverTwicePipeline,
        sound=NarrowPipeline,
        laws=("rows_leave_in_order_and_once",),
        # One row, resets by rate, of which one hits the confirmation, settle.
        smallest_known_steps=3,
        shows=("reset_before_headers()",),
    ),
    PlantedBug(
        name="pipeline-evicted-row-comes-out",
        what="A row that completes while it is evicted is emitted all the same.",
        machine=FinishesInTwoStepsPipeline,
        sound=NarrowPipeline,
        laws=("rows_leave_in_order_and_once", "no_earlier_row_holds_up_a_finished_one"),
        # One row, settle (it has been decided and is written down now), evict it.
        smallest_known_steps=3,
        shows=("state.evict(",),
    ),
    PlantedBug(
        name="pipeline-cancelled-accept-keeps-its-ticket",
        what="Who is cancelled while it hands over a row leaves a ticket that nobody finishes.",
        machine=LosesWhoGaveUpPipeline,
        sound=NarrowPipeline,
        laws=("no_earlier_row_holds_up_a_finished_one",),
        # One row, cancelled at its first checkpoint.
        smallest_known_steps=2,
        shows=(".cancel",),
    ),
    PlantedBug(
        name="pipeline-mixes-rows",
        what="Two rows in flight get the content of one.",
        machine=MixesRowsPipeline,
        sound=NarrowPipeline,
        laws=("a_good_row_carries_what_the_server_sent",),
        # Two who submit a row each: whoever submits two gives way between them.
        smallest_known_steps=2,
        shows=("state.submit(",),
    ),
    PlantedBug(
        name="pipeline-connects-each-time",
        what="Every row opens a connection of its own.",
        machine=ConnectsEachTimePipeline,
        sound=NarrowPipeline,
        laws=("connections_stay_within_the_limit",),
        # Three rows.
        smallest_known_steps=1,
        shows=("state.submit(count=3)",),
    ),
    PlantedBug(
        name="pipeline-gives-up-on-server-errors",
        what="A 500 fails the row although another attempt was due.",
        machine=GivesUpOnServerErrorsPipeline,
        sound=NarrowPipeline,
        laws=("each_row_has_one_outcome_that_its_faults_explain", "the_pool_keeps_its_laws"),
        # One server error, one row.
        smallest_known_steps=2,
        shows=("chaos.next_fault(status_500",),
    ),
    PlantedBug(
        name="pipeline-never-finishes-failures",
        what="A failed row stays pending for ever, and all that come after it.",
        machine=NeverFinishesFailuresPipeline,
        sound=NarrowPipeline,
        laws=("everything_came_to_an_end",),
        # One broken reply, one row.
        smallest_known_steps=2,
        shows=("chaos.next_fault(invalid_json",),
    ),
    PlantedBug(
        name="pipeline-never-comes-back",
        what="One broken reply, and no row succeeds ever again.",
        machine=NeverComesBackPipeline,
        sound=NarrowPipeline,
        laws=("new_rows_succeed_again",),
        # One broken reply, one row; the end sends probes.
        smallest_known_steps=2,
        shows=("chaos.next_fault(invalid_json",),
    ),
)
