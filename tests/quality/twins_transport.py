"""Clients that get over a broken connection in a wrong way. The law: laws of A, Transforms.

"Retryable: ... transport errors, truncated bodies. A successful row carries exactly what the
server sent for that row."
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import httpx
import trio

from chaoscheck.components.llm_reply import LlmReply
from chaoscheck.components.openrouter_transform import OpenRouterLLMTransform, RowQuery
from chaoscheck.components.query import QueryError
from chaoscheck.plan import catalogue as faults
from tests.quality.narrow_pipeline import BodyPipeline, ConnectionPipeline
from tests.quality.one_fault_bug import OneFaultBug, one_fault_bug

__all__ = ["TRANSPORT_BUGS", "Heard", "ReadsAsItComes", "given_up"]


@dataclass(slots=True, kw_only=True)
class Heard:
    """How much of one reply has come: its head, once that is whole, and its body so far."""

    response: httpx.Response | None = None
    body: bytearray = field(default_factory=bytearray)

    def reply(self) -> httpx.Response:
        """What came, as if that were all."""
        assert self.response is not None
        head = self.response
        return httpx.Response(head.status_code, headers=head.headers, content=bytes(self.body))


def given_up(error: Exception) -> QueryError:
    """The permanent error that a wrong client makes of ``error``."""
    return QueryError(str(error), kind="permanent", reason="given_up", error_type="given_up")


class ReadsAsItComes(OpenRouterLLMTransform):
    """A transform that could do something with half a reply; by itself it is right."""

    def broken_off(self, heard: Heard, error: httpx.RequestError) -> LlmReply:
        """What it makes of a reply that did not come whole; another attempt may help."""
        raise QueryError(
            str(error), kind="transient", reason="transport_error", error_type="transport_error"
        ) from error

    def came(self, heard: Heard, piece: bytes) -> None:
        """A piece of the body came."""
        heard.body += piece

    async def _call(self, query: RowQuery, number: int) -> LlmReply:
        heard = Heard()
        try:
            await self._listen(query, heard)
        except httpx.RequestError as error:
            return self.broken_off(heard, error)
        return self._read(heard.reply())

    async def _listen(self, query: RowQuery, heard: Heard) -> None:
        async with self._client.stream(
            "POST",
            self._url,
            content=query.payload,
            headers=self._headers(query),
            timeout=self._timeout(query),
        ) as heard.response:
            async for piece in heard.response.aiter_raw():
                self.came(heard, piece)


class GivesUpOn(ReadsAsItComes):
    """Breaks "Retryable: transport errors" for one of them, before or after the head."""

    error: ClassVar[type[httpx.RequestError]]
    says: ClassVar[str] = ""
    headed: ClassVar[bool] = False

    def broken_off(self, heard: Heard, error: httpx.RequestError) -> LlmReply:
        """The row fails for good."""
        headed = heard.response is not None
        if isinstance(error, self.error) and self.says in str(error) and headed == self.headed:
            raise given_up(error) from error
        return super().broken_off(heard, error)


class GivesUpOnSilentClosing(GivesUpOn):
    """A server that closes without a word is taken for one that refuses."""

    error = httpx.RemoteProtocolError


class GivesUpOnEarlyResets(GivesUpOn):
    """A reset before the head is taken for a firewall's."""

    error = httpx.ReadError


class GivesUpOnSilence(GivesUpOn):
    """A server that says nothing is taken for one that is not there."""

    error = httpx.ReadTimeout


class GivesUpOnHalfAnswers(GivesUpOn):
    """A server that falls silent in its answer is taken for one that crashed on the request."""

    error = httpx.ReadTimeout
    headed = True


class GivesUpOnBrokenChunks(GivesUpOn):
    """A proxy that breaks the chunks is taken for one that always does."""

    error = httpx.RemoteProtocolError
    says = "chunk"
    headed = True


class TakesWhatItHas(ReadsAsItComes):
    """Breaks "truncated bodies": what came before ``error`` is read as if it were whole."""

    error: ClassVar[type[httpx.RequestError]]

    def broken_off(self, heard: Heard, error: httpx.RequestError) -> LlmReply:
        """The reply so far, if it has begun."""
        if isinstance(error, self.error) and heard.response is not None:
            return self._read(heard.reply())
        return super().broken_off(heard, error)


class TakesWhatClosingLeaves(TakesWhatItHas):
    """The end of the connection is the end of the body."""

    error = httpx.RemoteProtocolError


class TakesWhatAResetLeaves(TakesWhatItHas):
    """A reset is one way to say goodbye."""

    error = httpx.ReadError


class TakesALongPromiseForARounding(TakesWhatItHas):
    """A body that is valid JSON is whole, whatever length was promised."""

    error = httpx.RemoteProtocolError

    def broken_off(self, heard: Heard, error: httpx.RequestError) -> LlmReply:
        """The reply, if it looks whole."""
        if not heard.body.endswith(b"}"):
            return ReadsAsItComes.broken_off(self, heard, error)
        return super().broken_off(heard, error)


class TakesOneReadForAll(ReadsAsItComes):
    """Breaks "exactly what the server sent": the first bytes of a body are not all of it."""

    def came(self, heard: Heard, piece: bytes) -> None:
        """The rest is read, so that the connection can be used again, and dropped."""
        heard.body = heard.body or bytearray(piece)


class HasNoPatience(OpenRouterLLMTransform):
    """Breaks "Retryable: transport errors": its own time-out is a failure for good."""

    async def _call(self, query: RowQuery, number: int) -> LlmReply:
        try:
            with trio.fail_after(1.5):
                return await super()._call(query, number)
        except trio.TooSlowError as error:
            raise given_up(error) from error


_bug = partial(one_fault_bug, sound=ConnectionPipeline)
_body_bug = partial(one_fault_bug, sound=BodyPipeline)

TRANSPORT_BUGS: tuple[OneFaultBug, ...] = (
    _bug(
        faults.slow_response,
        "A reply that takes its time fails the row for good.",
        name="slow-response-is-given-up",
        transform=HasNoPatience,
    ),
    _bug(
        faults.slow_drip,
        "Of a reply that comes in pieces only the first one is read.",
        name="slow-drip-is-read-once",
        transform=TakesOneReadForAll,
        also=("stall_mid_body",),
    ),
    _bug(
        faults.close_before_headers,
        "A connection that is closed before the answer fails the row for good.",
        name="close-before-headers-is-given-up",
        transform=GivesUpOnSilentClosing,
        also=("refuse",),
    ),
    _bug(
        faults.refuse,
        "A connection that is refused fails the row for good.",
        name="refusal-is-given-up",
        transform=GivesUpOnSilentClosing,
        also=("close_before_headers",),
    ),
    _bug(
        faults.close_mid_body,
        "Half a body is judged as if it were whole, since the connection was closed in order.",
        name="close-mid-body-is-the-end",
        transform=TakesWhatClosingLeaves,
        also=("half_close",),
    ),
    _bug(
        faults.half_close,
        "Half a body is judged as if it were whole, since the server said that it will not go on.",
        name="half-close-is-the-end",
        transform=TakesWhatClosingLeaves,
        also=("close_mid_body",),
    ),
    _bug(
        faults.reset_before_headers,
        "A reset before the answer fails the row for good.",
        name="reset-before-headers-is-given-up",
        transform=GivesUpOnEarlyResets,
        also=("reset_mid_headers",),
    ),
    _bug(
        faults.reset_mid_headers,
        "A reset within the head of the answer fails the row for good.",
        name="reset-mid-headers-is-given-up",
        transform=GivesUpOnEarlyResets,
        also=("reset_before_headers",),
    ),
    _bug(
        faults.reset_mid_body,
        "Half a body is judged as if it were whole, although the connection was reset.",
        name="reset-mid-body-is-the-end",
        transform=TakesWhatAResetLeaves,
    ),
    _bug(
        faults.stall_before_headers,
        "A server that says nothing in time fails the row for good.",
        name="stall-before-headers-is-given-up",
        transform=GivesUpOnSilence,
        waits=True,
    ),
    _bug(
        faults.stall_mid_body,
        "A server that falls silent within its answer fails the row for good.",
        name="stall-mid-body-is-given-up",
        transform=GivesUpOnHalfAnswers,
        waits=True,
    ),
    _body_bug(
        faults.content_length_long,
        "A reply that is shorter than it promises is a good row.",
        name="content-length-long-is-overlooked",
        transform=TakesALongPromiseForARounding,
    ),
    _body_bug(
        faults.broken_chunking,
        "A body whose chunks are broken fails the row for good.",
        name="broken-chunking-is-given-up",
        transform=GivesUpOnBrokenChunks,
    ),
)
