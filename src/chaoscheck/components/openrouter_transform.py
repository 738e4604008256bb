"""OpenRouterLLMTransform: rows in, one chat completion per row, results out in row order.

Three components do the work: a ReorderBuffer hands out tickets (and makes ``accept`` wait when
too many rows are pending), a PooledExecutor runs each row's query with its retries, and this
class says what one attempt is and what becomes of a row. Whoever takes a ticket out of
``_rows``, its task, ``evict`` or ``aclose``, decides what becomes of the row, and nobody else.
"""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from urllib.parse import quote

import httpx
import trio

from chaoscheck.components.llm_reply import LlmReply, read_reply
from chaoscheck.components.llm_stream import read_stream
from chaoscheck.components.number_limits import require_above
from chaoscheck.components.output_port import OutputPort, RowResult
from chaoscheck.components.pooled_executor import PooledExecutor
from chaoscheck.components.query import QueryError, QueryResult
from chaoscheck.components.reorder_buffer import ReorderBuffer
from chaoscheck.errors import PlanError
from chaoscheck.world import ambient

__all__ = ["OpenRouterLLMTransform", "OpenRouterSettings", "RowQuery"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRouterSettings:
    """How rows become requests. Authorization is the client's: set it in its headers.

    ``template`` is a format string over the row's columns. ``key_column`` names the column
    whose value is the row's Idempotency-Key; without it, every row gets a fresh id.
    ``request_timeout_s`` bounds each connect, write and read of an attempt (None: no bound).
    ``pool_size`` and ``max_capacity_retry_seconds`` serve when no executor is given.
    ``streaming`` asks for streamed replies; a row's result is its whole text all the same.
    """

    model: str
    template: str = "{text}"
    base_url: str = "https://openrouter.ai/api/v1"
    key_column: str | None = None
    max_pending: int = 64
    request_timeout_s: float | None = 30.0
    pool_size: int = 4
    max_capacity_retry_seconds: float = 30.0
    streaming: bool = False

    def __post_init__(self) -> None:
        if not self.model:
            raise PlanError(f"model must be a non-empty string, got {self.model!r}")
        if not self.base_url.startswith(("http://", "https://")):
            raise PlanError(f"base_url must start with http:// or https://, got {self.base_url!r}")
        if self.request_timeout_s is not None:
            require_above("request_timeout_s", self.request_timeout_s, 0)
        try:
            list(string.Formatter().parse(self.template))
        except ValueError as error:
            raise PlanError(
                f"template must be a format string, got {self.template!r}: {error}"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class RowQuery:
    """The query of one row: ``key`` is the same for every attempt; ``deadline_s`` in seconds."""

    ticket: int
    key: str
    payload: bytes
    deadline_s: float


@dataclass(slots=True, kw_only=True)
class _RowUnderWay:
    """An accepted row whose query has not ended: its task runs inside ``scope``."""

    ticket: int
    row: Mapping[str, object]
    accepted_s: float
    scope: trio.CancelScope
    attempts: int = 0


class OpenRouterLLMTransform:
    """A transform that is open inside ``async with``: leaving waits for the pending rows.

    Every accepted row is emitted exactly once, in ticket order, unless it was evicted. The
    executor may be shared by several transforms; they then share its slots and its throttle.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        output: OutputPort,
        settings: OpenRouterSettings,
        executor: PooledExecutor | None = None,
        new_id: Callable[[], str] = ambient.new_id,
        utc_now: Callable[[], datetime] = ambient.utc_now,
    ) -> None:
        """Raise PlanError when a size or a time in ``settings`` is illegal."""
        self._client = client
        self._output = output
        self._settings = settings
        self._new_id = new_id
        self._utc_now = utc_now
        self.executor = executor if executor is not None else self._new_executor()
        self._buffer = self._new_buffer()
        self._url = settings.base_url.rstrip("/") + "/chat/completions"
        self._rows: dict[int, _RowUnderWay] = {}
        self._opening: AbstractAsyncContextManager[trio.Nursery] | None = None
        self._nursery: trio.Nursery | None = None
        self._closed = False

    @property
    def pending(self) -> tuple[int, ...]:
        """Tickets accepted and neither emitted nor evicted, oldest first."""
        return self._buffer.outstanding

    async def __aenter__(self) -> OpenRouterLLMTransform:
        if self._opening is not None:
            raise PlanError("a transform is opened at most once, got a second opening")
        self._opening = trio.open_nursery()
        self._nursery = await self._opening.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        assert self._opening is not None
        self._closed = True
        try:
            return await self._opening.__aexit__(kind, error, traceback)
        except BaseExceptionGroup as group:
            # An error of the body alone leaves as it is, not wrapped by the inner nursery.
            if error is not None and group.exceptions == (error,):
                return False
            raise
        finally:
            # Only a cancelled or crashed transform still holds tickets here. They are let go,
            # so that whoever waits for a ticket, or for the end of all rows, waits no longer.
            for ticket in self._buffer.outstanding:
                self._buffer.evict(ticket)

    async def accept(self, row: Mapping[str, object]) -> int:
        """Take a row and return its ticket; waits only while too many rows are pending.

        Raise PlanError when the transform is not open.
        """
        self._require_open()
        ticket = await self._buffer.reserve()
        try:
            nursery = self._require_open()
        except PlanError:
            self.evict(ticket)
            raise
        if ticket not in self.pending:
            return ticket  # who waited for it was woken, and it was evicted before we ran
        under_way = _RowUnderWay(
            ticket=ticket, row=row, accepted_s=trio.current_time(), scope=trio.CancelScope()
        )
        self._rows[ticket] = under_way
        nursery.start_soon(self._complete_row, under_way)
        return ticket

    def evict(self, ticket: int) -> bool:
        """Give up a row at any position: it is never emitted, later rows go on.

        False when the row has already been emitted or evicted. TicketError for a ticket that
        was never given out.
        """
        evicted = self._buffer.evict(ticket)
        if ticket in self._rows:
            self._rows.pop(ticket).scope.cancel()
        self._emit_ready()
        return evicted

    async def flush(self) -> None:
        """Wait until no row is pending."""
        await self._buffer.wait_empty()

    async def aclose(self) -> None:
        """Stop at once: rows that are not finished are emitted with reason ``closed``."""
        self._closed = True
        under_way = [self._rows.pop(ticket) for ticket in sorted(self._rows)]
        for row in under_way:
            row.scope.cancel()
            self._buffer.complete(row.ticket, _closed_row(row))
        self._emit_ready()
        await trio.lowlevel.checkpoint()

    async def _complete_row(self, under_way: _RowUnderWay) -> None:
        """The task of one row: from its acceptance to its result in the buffer."""
        with under_way.scope:
            result = await self._result_of(under_way)
            if self._rows.pop(under_way.ticket, None) is not None:
                self._finish(result)

    async def _result_of(self, under_way: _RowUnderWay) -> RowResult:
        ticket, row = under_way.ticket, under_way.row
        try:
            payload = self._payload(row)
        except (KeyError, IndexError, AttributeError, ValueError, TypeError) as error:
            return RowResult(ticket=ticket, row=row, error=_template_error(error), attempts=0)
        query = RowQuery(
            ticket=ticket,
            key=self._key(row),
            payload=payload,
            deadline_s=self.executor.deadline_s(under_way.accepted_s),
        )
        outcome = await self.executor.execute(query, self._call, submitted_s=under_way.accepted_s)
        return self._row_result(ticket, row, outcome)

    def _row_result(
        self, ticket: int, row: Mapping[str, object], outcome: QueryResult[LlmReply]
    ) -> RowResult:
        reply = outcome.value
        if reply is None:
            return RowResult(ticket=ticket, row=row, error=outcome.error, attempts=outcome.attempts)
        return RowResult(
            ticket=ticket,
            row=row,
            content=reply.content,
            model=reply.model,
            usage=reply.usage,
            attempts=outcome.attempts,
        )

    def _finish(self, result: RowResult) -> None:
        """A row's query came to its end: hand the result over and emit what may leave."""
        self._buffer.complete(result.ticket, result)
        self._emit_ready()

    def _emit_ready(self) -> None:
        # One by one, since what emit calls may come back here, by evicting a row for instance.
        while (ready := self._buffer.pop_ready()) is not None:
            self._output.emit(ready[1])

    async def _call(self, query: RowQuery, number: int) -> LlmReply:
        """One attempt: one request, and the check of its reply."""
        if query.ticket in self._rows:
            self._rows[query.ticket].attempts = number
        try:
            response = await self._client.post(
                self._url,
                content=query.payload,
                headers=self._headers(query),
                timeout=self._timeout(query),
            )
        except httpx.RequestError as error:
            raise _failed_request(error) from error
        return self._read(response)

    def _read(self, response: httpx.Response) -> LlmReply:
        """The reply of a complete response, or the QueryError that names what is wrong with it."""
        read = read_stream if self._settings.streaming else read_reply
        return read(
            status=response.status_code,
            headers=response.headers,
            body=response.content,
            utc_now=self._utc_now,
        )

    def _headers(self, query: RowQuery) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "Idempotency-Key": query.key,
            "X-Attempt-Id": self._new_id(),
        }

    def _timeout(self, query: RowQuery) -> httpx.Timeout:
        # Waiting for a connection is no failure by itself, but no request may be sent after
        # the deadline: so the pool waits exactly until then.
        until_deadline_s = max(0.0, query.deadline_s - trio.current_time())
        return httpx.Timeout(self._settings.request_timeout_s, pool=until_deadline_s)

    def _payload(self, row: Mapping[str, object]) -> bytes:
        prompt = self._settings.template.format_map(row)
        request: dict[str, object] = {
            "model": self._settings.model,
            "messages": [{"role": "user", "content": prompt}],
        }
        if self._settings.streaming:
            request |= {"stream": True, "stream_options": {"include_usage": True}}
        return json.dumps(request).encode()

    def _key(self, row: Mapping[str, object]) -> str:
        column = self._settings.key_column
        text = "" if column is None else str(row.get(column, ""))
        # Quoted, because a header holds neither line breaks nor most of Unicode.
        return quote(text, safe="", errors="backslashreplace") or self._new_id()

    def _new_executor(self) -> PooledExecutor:
        settings = self._settings
        return PooledExecutor(settings.pool_size, settings.max_capacity_retry_seconds)

    def _new_buffer(self) -> ReorderBuffer[RowResult]:
        return ReorderBuffer(self._settings.max_pending)

    def _require_open(self) -> trio.Nursery:
        if self._nursery is None or self._closed:
            raise PlanError("a row is accepted only inside 'async with transform', before aclose")
        return self._nursery


def _failed_request(error: httpx.RequestError) -> QueryError:
    """The QueryError for a request that got no complete reply."""
    transport = isinstance(error, httpx.TransportError)
    if isinstance(error, httpx.PoolTimeout):
        reason = "pool_timeout"
    elif isinstance(error, httpx.TimeoutException):
        reason = "timeout"
    else:
        reason = "transport_error" if transport else "undecodable_reply"
    return QueryError(
        f"{type(error).__name__}: {error}",
        kind="transient" if transport else "permanent",
        reason=reason,
        error_type=type(error).__name__,
    )


def _closed_row(under_way: _RowUnderWay) -> RowResult:
    error = {
        "reason": "closed",
        "error_type": "closed",
        "message": "the transform was closed before the row was finished",
    }
    return RowResult(
        ticket=under_way.ticket, row=under_way.row, error=error, attempts=under_way.attempts
    )


def _template_error(error: Exception) -> dict[str, object]:
    return {
        "reason": "template_error",
        "error_type": type(error).__name__,
        "message": f"the row does not fit the template: {error!r}",
    }
