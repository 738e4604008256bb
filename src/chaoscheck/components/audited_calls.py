"""Every request that leaves is a call of the audit: its intent first, what came of it after.

A transport wrapper sees what a client's retries hide: an SDK that tries again sends another
request through the same transport. The state for which a request is made is the one of the
``auditing`` block around whatever started it; tasks started inside inherit it.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, Protocol, Self

from anyio.lowlevel import checkpoint_if_cancelled

from chaoscheck.components.audit_errors import AuditError
from chaoscheck.components.audit_json import digest_of
from chaoscheck.components.audit_recorder import (
    AuditedCall,
    AuditedState,
    AuditRecorder,
    CallEnd,
    CallIntent,
)
from chaoscheck.components.query import AttemptEvent

__all__ = [
    "ATTEMPT_ID_HEADER",
    "AuditedBody",
    "AuditedHandling",
    "Unaudited",
    "auditing",
    "judging",
]

ATTEMPT_ID_HEADER = "X-Attempt-Id"

_state: ContextVar[AuditedState | None] = ContextVar("audited state", default=None)


class Unaudited(AuditError):
    """A request was about to leave for which no state is being audited; it was not sent."""


class _Body(AsyncIterable[bytes], Protocol):
    async def aclose(self) -> None: ...


class _Transport(Protocol):
    async def handle_async_request(self, request: Any, /) -> Any: ...

    async def aclose(self) -> None: ...


@contextmanager
def auditing(state: AuditedState) -> Iterator[None]:
    """Requests made in this block, and by tasks started in it, are calls of ``state``."""
    before = _state.set(state)
    try:
        yield
    finally:
        _state.reset(before)


def judging(recorder: AuditRecorder) -> Callable[[AttemptEvent], None]:
    """A listener of a PooledExecutor: what it made of an attempt becomes the call's kind.

    A complete 200 may be a failure, too, if its body is defective; only the caller knows.
    """

    def on_attempt(event: AttemptEvent) -> None:
        state = _state.get()
        judged = event.outcome in ("capacity", "transient", "permanent")
        if judged and state is not None and state.last_call is not None:
            recorder.judge_call(state.last_call, event.outcome)  # type: ignore[arg-type]

    return on_attempt


class AuditedBody:
    """A body that is passed on as it comes, digested on the way; its end is the call's end."""

    def __init__(
        self, stream: _Body, recorder: AuditRecorder, call: AuditedCall, status_code: int
    ) -> None:
        self._stream = stream
        self._recorder = recorder
        self._call = call
        self._status_code = status_code
        self._digest = hashlib.sha256()
        self._length = 0
        self._chunks: AsyncIterator[bytes] | None = None
        self._ended = False

    def __aiter__(self) -> Self:
        self._chunks = aiter(self._stream)
        return self

    async def __anext__(self) -> bytes:
        assert self._chunks is not None
        try:
            chunk = await anext(self._chunks)
        except StopAsyncIteration:
            self._end("ok", None)
            raise
        except Exception as error:
            self._end("error", type(error).__name__)
            raise
        except BaseException:
            self._leave("cancelled")
            raise
        self._digest.update(chunk)
        self._length += len(chunk)
        return chunk

    async def aclose(self) -> None:
        """Close the body; a call whose body was not read to its end is *unknown*."""
        self._leave("closed_early")
        await self._stream.aclose()

    def _leave(self, why: str) -> None:
        try:
            self._end("unknown", why)
        except AuditError:
            pass  # Who leaves must be let go. The call stays pending, and the next write raises.

    def _end(self, status: Literal["ok", "error", "unknown"], error_type: str | None) -> None:
        if self._ended:
            return
        self._ended = True
        self._recorder.end_call(
            self._call,
            CallEnd(
                status=status,
                status_code=self._status_code,
                body_digest=self._digest.hexdigest(),
                body_length=self._length,
                error_type=error_type,
            ),
        )


class AuditedHandling:
    """What the audited transports of httpx and httpx2 share."""

    #: A subclass of AuditedBody that the client accepts as a stream.
    body_type: type[AuditedBody]

    def __init__(self, inner: _Transport, recorder: AuditRecorder) -> None:
        """Requests go out through ``inner``; whoever closes this closes it, too."""
        self._inner = inner
        self._recorder = recorder

    async def handle_async_request(self, request: Any) -> Any:
        """Send one request. Raise AuditError, with nothing sent, if it cannot be recorded."""
        state = _state.get()
        if state is None:
            raise Unaudited("a request needs an 'auditing' block around it, got none")
        # Whoever was cancelled while waiting for its turn must not set out any more: its row may
        # have an outcome already, and a call beneath that would be a conflict.
        await checkpoint_if_cancelled()
        call = self._recorder.begin_call(state, _intent(request))
        request.headers[ATTEMPT_ID_HEADER] = call.attempt_id
        try:
            response = await self._inner.handle_async_request(request)
        except Exception as error:
            self._recorder.end_call(call, CallEnd(status="error", error_type=type(error).__name__))
            raise
        except BaseException:
            self._leave(call)
            raise
        response.stream = self.body_type(
            response.stream, self._recorder, call, response.status_code
        )
        return response

    async def aclose(self) -> None:
        """Close the transport below."""
        await self._inner.aclose()

    def _leave(self, call: AuditedCall) -> None:
        try:
            self._recorder.end_call(call, CallEnd(status="unknown", error_type="cancelled"))
        except AuditError:
            pass  # As in AuditedBody: the call stays pending, and the next write raises.


def _intent(request: Any) -> CallIntent:
    try:
        body: bytes | None = request.content
    except RuntimeError:
        body = None  # A body that is streamed out is not read for the audit.
    return CallIntent(
        method=request.method,
        path=request.url.raw_path.partition(b"?")[0].decode("ascii", "replace"),
        request_digest=None if body is None else digest_of(body),
        attempt_id=request.headers.get(ATTEMPT_ID_HEADER),
    )
