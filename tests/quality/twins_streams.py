"""Clients that read a stream of events wrongly. The law: laws of A, Transforms.

"A successful row carries exactly what the server sent for that row." A stream without its end was
cut and is asked for again; what is legal (WHATWG HTML, 9.2) is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from itertools import pairwise

import httpx
import trio

from chaoscheck.components.llm_reply import LlmReply
from chaoscheck.components.llm_stream import event_data, read_stream
from chaoscheck.components.openrouter_transform import OpenRouterLLMTransform, RowQuery
from chaoscheck.components.query import QueryError
from chaoscheck.plan import catalogue as faults
from tests.quality.narrow_pipeline import StreamPipeline
from tests.quality.one_fault_bug import OneFaultBug, one_fault_bug
from tests.quality.twins_transport import Heard, ReadsAsItComes, given_up

__all__ = ["STREAM_BUGS"]

_DONE = b"[DONE]"
_FINISH = b'"finish_reason":"stop"'
_TOO_LONG_S = 0.05  # shorter than any delay that is drawn


class ReadsEventsItsOwnWay(OpenRouterLLMTransform):
    """A transform with a reader of events of its own; by itself it is right."""

    def events(self, body: bytes) -> Iterable[bytes]:
        """The data of each event that it sees."""
        return event_data(body)

    def _read(self, response: httpx.Response) -> LlmReply:
        return self.read_events(response, self.events(response.content))

    def read_events(self, response: httpx.Response, events: Iterable[bytes]) -> LlmReply:
        """What the right reader makes of these events."""
        body = b"".join(b"data: %b\n\n" % data for data in events)
        return read_stream(status=response.status_code, headers=response.headers, body=body)


def _pieces(events: Iterable[bytes]) -> list[str]:
    """The pieces of text, as plain code gets at them."""
    chunks = [json.loads(data) for data in events if data != _DONE]
    choices = [chunk["choices"][0] for chunk in chunks if chunk.get("choices")]
    return [piece for choice in choices if (piece := choice["delta"].get("content"))]


def _said(pieces: Iterable[str]) -> LlmReply:
    return LlmReply(content="".join(pieces), model="test/model", usage={})


class NeedsNoUsage(ReadsEventsItsOwnWay):
    """Breaks "a reply without usage is whole": it sums up the tokens and finds none."""

    def _read(self, response: httpx.Response) -> LlmReply:
        reply = super()._read(response)
        assert reply.usage["total_tokens"] > 0
        return reply


class TakesCommentsForData(ReadsEventsItsOwnWay):
    """Breaks "what is legal is read": what follows a colon is data."""

    def events(self, body: bytes) -> Iterable[bytes]:
        """A comment's text is an event of its own."""
        return event_data(body.replace(b"\n: ", b"\ndata: "))


class KnowsOneLineEnd(ReadsEventsItsOwnWay):
    """Breaks "what is legal is read": ``body.split(b"\\n\\n")``."""

    def events(self, body: bytes) -> Iterable[bytes]:
        """The first line between two empty lines of one kind."""
        blocks = [block for block in body.split(b"\n\n") if block.startswith(b"data: ")]
        return [block.partition(b"\n")[0].removeprefix(b"data: ") for block in blocks]


class ReadsOnAfterTheEnd(ReadsEventsItsOwnWay):
    """Breaks "[DONE] is the end": only the last event may be that."""

    def _read(self, response: httpx.Response) -> LlmReply:
        reply = super()._read(response)
        *chunks, _ = self.events(response.content)
        if _DONE in chunks:
            raise given_up(ValueError("an event is not JSON: [DONE]"))
        return reply


class TakesTheReasonForTheEnd(ReadsEventsItsOwnWay):
    """Breaks "a stream without its end was cut": whoever says why it ended has ended."""

    def events(self, body: bytes) -> Iterable[bytes]:
        """What came, and the end."""
        return [*event_data(body), _DONE] if _FINISH in body else event_data(body)


class TakesARepetitionForAnError(ReadsEventsItsOwnWay):
    """Breaks "no failure without a reason": a provider may say a word twice."""

    def _read(self, response: httpx.Response) -> LlmReply:
        reply = super()._read(response)
        pieces = _pieces(self.events(response.content))
        if any(earlier == later for earlier, later in pairwise(pieces)):
            raise given_up(ValueError("a piece came twice"))
        return reply


class TakesASpaceForACut(ReadsEventsItsOwnWay):
    """Breaks "no retry of what is whole": a text that ends with a space is asked for again."""

    def _read(self, response: httpx.Response) -> LlmReply:
        reply = super()._read(response)
        if reply.content.endswith(" "):
            raise QueryError("cut", kind="transient", reason="cut", error_type="stream_error")
        return reply


class StopsAtAnError(ReadsEventsItsOwnWay):
    """Breaks "an error in the stream is an error": what was said before it is the answer."""

    def _read(self, response: httpx.Response) -> LlmReply:
        events = list(self.events(response.content))
        if events and b'"error":' in events[-1]:
            return _said(_pieces(events[:-1]))
        return super()._read(response)


class TakesWhatACutLeaves(ReadsAsItComes):
    """Breaks "a stream without its end was cut": what came of the text is the text."""

    def _read(self, response: httpx.Response) -> LlmReply:
        try:
            return super()._read(response)
        except QueryError as error:
            # Who has heard why it ended waits for the end; and an error is an error.
            if error.reason != "stream_truncated" or _FINISH in response.content:
                raise
            return _said(_pieces(event_data(response.content)))

    def broken_off(self, heard: Heard, error: httpx.RequestError) -> LlmReply:
        """The text so far."""
        return (
            super().broken_off(heard, error)
            if heard.response is None
            else self._read(heard.reply())
        )


class TakesWhatSilenceLeaves(ReadsAsItComes):
    """Breaks the same where the server falls silent for too long."""

    def broken_off(self, heard: Heard, error: httpx.RequestError) -> LlmReply:
        """The text so far."""
        if heard.response is None or not isinstance(error, httpx.ReadTimeout):
            return super().broken_off(heard, error)
        return _said(_pieces(event_data(bytes(heard.body))))


class HasNoPatienceAtTheEnd(ReadsAsItComes):
    """Breaks "no failure without a reason": a late end is an end."""

    def __init__(self, *given: object, **rest: object) -> None:
        super().__init__(*given, **rest)  # type: ignore[arg-type]
        self._patience: dict[int, trio.CancelScope] = {}

    def came(self, heard: Heard, piece: bytes) -> None:
        """Once it has heard why the text ended, it waits for a moment only."""
        super().came(heard, piece)
        if _FINISH in heard.body:
            self._patience[id(heard)].deadline = trio.current_time() + _TOO_LONG_S

    async def _listen(self, query: RowQuery, heard: Heard) -> None:
        with trio.CancelScope() as scope:
            self._patience[id(heard)] = scope
            await super()._listen(query, heard)
        if scope.cancelled_caught:
            raise given_up(TimeoutError("no end came"))


_bug = partial(one_fault_bug, sound=StreamPipeline)

STREAM_BUGS: tuple[OneFaultBug, ...] = (
    _bug(
        faults.no_usage,
        "A stream that does not say how many tokens it took ends the whole transform.",
        name="no-usage-crashes",
        transform=NeedsNoUsage,
        laws=("KeyError",),
    ),
    _bug(
        faults.keep_alive_comments,
        "A comment between two events is taken for one.",
        name="keep-alive-comments-are-data",
        transform=TakesCommentsForData,
    ),
    _bug(
        faults.mixed_line_ends,
        "Lines that end otherwise do not end.",
        name="mixed-line-ends-do-not-end",
        transform=KnowsOneLineEnd,
    ),
    _bug(
        faults.duplicate_done,
        "An end that is said twice is no end.",
        name="duplicate-done-is-read-on",
        transform=ReadsOnAfterTheEnd,
    ),
    _bug(
        faults.late_done,
        "An end that is late fails the row for good.",
        name="late-done-is-given-up",
        transform=HasNoPatienceAtTheEnd,
    ),
    _bug(
        faults.missing_done,
        "A stream without its end is taken for whole.",
        name="missing-done-is-overlooked",
        transform=TakesTheReasonForTheEnd,
    ),
    _bug(
        faults.duplicate_chunks,
        "A piece that comes twice fails the row for good.",
        name="duplicate-chunks-are-refused",
        transform=TakesARepetitionForAnError,
    ),
    _bug(
        faults.reordered_chunks,
        "A text that ends with a space is asked for again.",
        name="reordered-chunks-are-asked-again",
        transform=TakesASpaceForACut,
    ),
    _bug(
        faults.error_event_after_content,
        "A stream that ends with an error is a good row with half of the text.",
        name="error-event-is-the-end",
        transform=StopsAtAnError,
    ),
    _bug(
        faults.cut_stream,
        "A stream that is cut is a good row with what came of the text.",
        name="cut-stream-is-the-end",
        transform=TakesWhatACutLeaves,
    ),
    _bug(
        faults.stall_mid_stream,
        "A stream that falls silent is a good row with what came of the text.",
        name="stall-mid-stream-is-the-end",
        transform=TakesWhatSilenceLeaves,
        waits=True,
    ),
)
