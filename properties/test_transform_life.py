"""A transform from its opening to its end: flushed, left, cancelled, closed, with rows under way.

The provider answers within the client, so that what a row sent and what came back are known
exactly; the laws of pipelines under faults stand in ``test_llm_pipeline``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import ClassVar, Literal

import httpx
import pytest
import trio
from hypothesis import strategies as st

from chaoscheck import ChaosMachine, PlanError, initialize, invariant, precondition, rule
from chaoscheck.components.openrouter_transform import OpenRouterLLMTransform, OpenRouterSettings
from chaoscheck.components.output_port import CollectingOutputPort, RowResult
from chaoscheck.components.pooled_executor import PooledExecutor
from chaoscheck.components.reorder_buffer import TicketError
from chaoscheck.components.retry import Retry
from properties.scripted_provider import Play, Provider, Seen, completion

MAX_SECONDS = 20.0
REQUEST_TIMEOUT_S = 8.0
FAILURES_MAX = 2
PLAYS = st.builds(
    Play,
    words=st.lists(st.sampled_from(["break", "overload", "refuse"]), max_size=2).map(tuple),
    takes_s=st.sampled_from([0.0, 1.0, 5.0]),
)

End = Literal["left", "cancelled", "crashed"]


@dataclass(slots=True, kw_only=True)
class Handed:
    """A row that was handed over: its ticket once it was accepted, and when it was given up."""

    text: str
    ticket: int | None = None
    accepted_s: float | None = None
    gone: bool = False


class _Crash(Exception):
    """What the body of the transform's block raises."""


class TransformLife(ChaosMachine):
    """One transform: rows come and are evicted, it is flushed, and it comes to one of its ends."""

    cancels: ClassVar[bool] = True
    recovery_s: ClassVar[float] = 60.0
    refusals: ClassVar[tuple[type[Exception], ...]] = (PlanError,)
    transform_type: ClassVar[type[OpenRouterLLMTransform]] = OpenRouterLLMTransform

    @initialize(max_pending=st.integers(1, 3), pool=st.integers(1, 2), streaming=st.booleans())
    def build(self, max_pending: int, pool: int, streaming: bool) -> None:
        """An open transform of this size."""
        self.max_pending, self.streaming = max_pending, streaming
        self.provider, self.output = Provider(), CollectingOutputPort()
        self.rows: list[Handed] = []
        self.evicted: set[int] = set()
        self.closed_s: float | None = None
        self.end: End | None = None
        self.block_ended: bool = False
        self.leave, self.scope = trio.Event(), trio.CancelScope()
        self.left_by: BaseException | None = None
        self.attempt_ids = count()
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.provider))
        self.transform = self.transform_type(
            client,
            output=self.output,
            settings=OpenRouterSettings(
                model="asked/model",
                template="{text}",
                base_url="http://api.test/v1/",
                key_column="text",
                max_pending=max_pending,
                request_timeout_s=REQUEST_TIMEOUT_S,
                streaming=streaming,
            ),
            executor=PooledExecutor(pool, MAX_SECONDS, retry=Retry(FAILURES_MAX, 0.5, 4.0)),
            new_id=lambda: f"id {next(self.attempt_ids)}",
        )
        self.world.spawn(self._live, client, name="transform")
        self.world.settle()

    async def _live(self, client: httpx.AsyncClient) -> None:
        try:
            with self.scope:
                async with client, self.transform as opened:
                    assert opened is self.transform
                    await self.leave.wait()
                    if self.end == "crashed":
                        raise _Crash
        except _Crash as crash:
            self.left_by = crash
        self.block_ended = True

    # ------------------------------------------------------------------ rules

    @rule(in_flight=True, play=PLAYS)
    async def hand_over(self, play: Play) -> None:
        """A row comes, and waits for room."""
        row = Handed(text=f"row {len(self.rows)}")
        self.provider.plays[row.text] = play
        self.rows.append(row)
        try:
            row.ticket = await self.transform.accept({"text": row.text})
            row.accepted_s = trio.current_time()
        finally:
            row.gone = row.ticket is None

    @rule(in_flight=True, position=st.integers(0, 2))
    async def evict(self, position: int) -> None:
        """A pending row is given up; a second time there is nothing to give up."""
        await trio.lowlevel.checkpoint()
        for ticket in self.transform.pending[position : position + 1]:
            assert self.transform.evict(ticket)
            self.evicted.add(ticket)
            assert not self.transform.evict(ticket)

    @rule(in_flight=True)
    async def flush(self) -> None:
        """Wait for the end of all rows: when it returns, none is pending."""
        await self.transform.flush()
        assert self.transform.pending == ()

    @precondition(lambda self: self.closed_s is None and self.end is None)
    @rule()
    def close_at_once(self) -> None:
        """Whatever is under way comes out as closed, in the same instant."""
        before, now_s = self.transform.pending, self.world.now
        out = len(self.output.results)
        self.closed_s = now_s
        self.world.run(self.transform.aclose)
        assert now_s == self.world.now
        assert self.transform.pending == ()
        fresh = self.output.results[out:]
        known = {row.ticket for row in self.rows if row.ticket is not None}
        # An eviction that was in flight may have come first, in the same instant.
        due = {ticket for ticket in before if ticket in known} - self.evicted
        assert due <= {row.ticket for row in fresh}

    @precondition(lambda self: self.end is None)
    @rule(end=st.sampled_from(["left", "cancelled", "crashed"]))
    def come_to_an_end(self, end: End) -> None:
        """The block is left, or its task is cancelled, or its body raises."""
        self.end = end
        if end == "cancelled":
            self.scope.cancel()
        else:
            self.leave.set()
        self.world.settle()

    @precondition(lambda self: self.closed_s is not None or self.end is not None)
    @rule()
    def use_it_after_its_end(self) -> None:
        """A row is refused, and so is a second opening; evicting what is gone does nothing."""
        now_s = self.world.now
        with pytest.raises(PlanError, match="accepted only inside"):
            self.world.run(self.transform.accept, {"text": "too late"})
        assert now_s == self.world.now  # also where there is no room
        with pytest.raises(PlanError, match="opened at most once"):
            self.world.run(self.transform.__aenter__)

    @rule()
    def evict_what_was_never_given_out(self) -> None:
        """A ticket that does not exist is a mistake of the caller's."""
        with pytest.raises(TicketError):
            self.transform.evict(10**6)

    # ------------------------------------------------------------------ laws

    @invariant()
    def rows_leave_in_order_and_once(self) -> None:
        """Tickets of results only grow, and none of them was evicted."""
        tickets = [result.ticket for result in self.output.results]
        assert tickets == sorted(set(tickets) - self.evicted)

    @invariant()
    def a_row_has_the_result_that_its_provider_sent(self) -> None:
        """Content, model and usage to the last token; attempts are the requests made for it."""
        by_ticket = {row.ticket: row for row in self.rows}
        for result in self.output.results:
            row = by_ticket.get(result.ticket)
            if row is None:
                continue  # its acceptance was cancelled after its ticket was drawn
            assert result.row == {"text": row.text}
            assert self.provider.counts[row.text] == result.attempts
            if result.ok:
                sent = completion(row.text)
                assert (row.text, sent["model"]) == (result.content, result.model)
                assert sent["usage"] == result.usage
            else:
                self._explain(result, self.provider.plays[row.text])

    def _explain(self, result: RowResult, play: Play) -> None:
        assert (result.content, result.model, result.usage) == (None, None, {})
        assert result.error is not None
        met = play.words[: result.attempts]
        reason = result.error["reason"]
        if reason == "closed":
            assert self.closed_s is not None
        elif reason == "client_error":
            assert met[-1:] == ("refuse",)
        elif reason == "attempts_exhausted":
            assert met.count("break") == FAILURES_MAX
        else:
            assert (reason, "refuse" in met) == ("retry_timeout", False)
            assert result.error["max_seconds"] == MAX_SECONDS

    @invariant()
    def each_request_is_what_its_row_asks_for(self) -> None:
        """Model, prompt, key, types and time-outs; every attempt has an id of its own."""
        ids = [seen.request.headers["X-Attempt-Id"] for seen in self.provider.seen]
        assert len(set(ids)) == len(ids)
        for seen in self.provider.seen:
            self._require_request(seen)

    def _require_request(self, seen: Seen) -> None:
        request = seen.request
        assert (request.method, str(request.url)) == ("POST", "http://api.test/v1/chat/completions")
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["Idempotency-Key"] == seen.text.replace(" ", "%20")
        expected: dict[str, object] = {
            "model": "asked/model",
            "messages": [{"role": "user", "content": seen.text}],
        }
        if self.streaming:
            expected |= {"stream": True, "stream_options": {"include_usage": True}}
        assert expected == seen.document
        timeout = dict(request.extensions["timeout"])
        pool_s = timeout.pop("pool")
        assert timeout == dict.fromkeys(("connect", "read", "write"), REQUEST_TIMEOUT_S)
        # A request may wait for a connection until its row's deadline, and not longer.
        accepted = [row.accepted_s for row in self.rows if row.text == seen.text]
        for accepted_s in accepted if accepted != [None] else ():
            assert accepted_s is not None
            assert pool_s == pytest.approx(accepted_s + MAX_SECONDS - seen.at_s, abs=1e-9)

    @invariant()
    def once_closed_it_sends_nothing(self) -> None:
        """What is given up stays given up."""
        if self.closed_s is not None:
            assert all(seen.at_s <= self.closed_s for seen in self.provider.seen)

    @invariant()
    def no_more_rows_are_pending_than_there_is_room_for(self) -> None:
        """Back-pressure: the rest waits."""
        assert len(self.transform.pending) <= self.max_pending

    @invariant()
    def after_its_end_nothing_waits_for_it(self) -> None:
        """A transform that is gone holds no ticket, and lets go of all that waited for one."""
        if not self.block_ended:
            return
        assert self.transform.pending == ()
        assert [] == [each for each in self.world.in_flight() if each.name != "evict"]
        assert (self.end == "crashed") == isinstance(self.left_by, _Crash)

    @invariant()
    def leaving_it_waits_for_the_rows(self) -> None:
        """A block that was left in peace has brought each accepted row to its outcome."""
        if self.block_ended and self.end == "left":
            out = {result.ticket for result in self.output.results}
            assert {row.ticket for row in self.rows if row.ticket is not None} <= out | self.evicted

    @invariant(healed=True)
    def everything_comes_to_its_end(self) -> None:
        """Rows have their outcome, a flush returns, and a block that was left is over."""
        assert self.transform.pending == ()
        assert self.world.in_flight() == []
        assert self.block_ended == (self.end is not None)


TestTransformLife = TransformLife.TestCase
