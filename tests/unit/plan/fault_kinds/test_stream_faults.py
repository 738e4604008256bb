"""Each fault of streams on hand-made streams: exactly what is said, and how it is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan.answer import Answer, Event, Shape
from chaoscheck.plan.delivery import Act, Close, Frame, Reset, Send, Stall, Wait, Wire
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.stream_fault import StreamFault, places
from chaoscheck.plan.faults.cut_stream import CutStream
from chaoscheck.plan.faults.duplicate_chunks import DuplicateChunks
from chaoscheck.plan.faults.duplicate_done import DuplicateDone
from chaoscheck.plan.faults.error_event_after_content import ErrorEventAfterContent
from chaoscheck.plan.faults.keep_alive_comments import KeepAliveComments
from chaoscheck.plan.faults.late_done import LateDone
from chaoscheck.plan.faults.missing_done import MissingDone
from chaoscheck.plan.faults.mixed_line_ends import MixedLineEnds
from chaoscheck.plan.faults.no_usage import NoUsage
from chaoscheck.plan.faults.reordered_chunks import ReorderedChunks
from chaoscheck.plan.faults.stall_mid_stream import StallMidStream

FAULTS: tuple[type[Fault], ...] = (
    CutStream,
    DuplicateChunks,
    DuplicateDone,
    ErrorEventAfterContent,
    KeepAliveComments,
    LateDone,
    MissingDone,
    MixedLineEnds,
    NoUsage,
    ReorderedChunks,
    StallMidStream,
)

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def _line(data: object, name: str | None = None) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"{f'event: {name}' + chr(10) if name else ''}data: {text}\n\n".encode()


def _stream(*events: Event) -> Answer:
    return Answer(status=200, events=events, streamed=True)


ROLE = Event("start", _line({"role": "assistant"}))
ONE, TWO, THREE = (Event("content", _line({"content": text}), 0.5) for text in ("ü ", "b ", "c"))
WHY = Event("finish", _line({"finish_reason": "stop", "usage": None}))
USAGE = Event("usage", _line({"choices": [], "usage": {"total_tokens": 5}}))
DONE = Event("end", _line("[DONE]"))
CHAT = _stream(ROLE, ONE, TWO, THREE, WHY, USAGE, DONE)

START = Event(
    "start",
    _line(
        {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 1}}},
        "message_start",
    ),
)
DELTAS = tuple(
    Event("content", _line({"delta": {"text": text}}, "content_block_delta")) for text in "ab"
)
DELTA = Event("finish", _line({"delta": {}, "usage": {"output_tokens": 2}}, "message_delta"))
STOP = Event("end", _line({"type": "message_stop"}, "message_stop"))
MESSAGE = _stream(START, *DELTAS, DELTA, STOP)

CREATED = Event("start", _line({"response": {"id": "r", "usage": None}}, "response.created"))
PIECES = tuple(
    Event("content", _line({"delta": "a", "sequence_number": n}, "response.output_text.delta"))
    for n in (1, 2)
)
COMPLETED = Event(
    "end",
    _line({"response": {"id": "r", "usage": {"total_tokens": 2}}}, "response.completed"),
)
RESPONSE = _stream(CREATED, *PIECES, COMPLETED)

EMPTY = _stream(ROLE, WHY, DONE)  # A reply without a text.
SAME = _stream(ROLE, ONE, ONE, DONE)  # It says one word twice.
SHORT = _stream(Event("comment", b":\n\n"))
SILENT = _stream()
BODY = Answer(
    status=200, body=b'{"a":1,"usage":{"n":1}}', shape=Shape(content=("a",), number=("a",))
)
COUNTED = Answer(
    status=200,
    body=BODY.body,
    shape=Shape(content=("a",), number=("a",), usage=("usage",)),
)
ANSWERS = {
    "chat": CHAT,
    "message": MESSAGE,
    "response": RESPONSE,
    "empty": EMPTY,
    "same": SAME,
    "short": SHORT,
    "silent": SILENT,
    "body": BODY,
    "counted": COUNTED,
}
STREAMS = ("chat", "message", "response")


def _wire(answer: Answer, *, chunked: bool = True) -> Wire:
    if not answer.streamed:
        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(answer.body)
        return Wire(head=head, frames=(Frame(answer.body),))
    if not chunked:
        frames = tuple(Frame(event.payload, event.delay_s) for event in answer.events)
        return Wire(head=b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", frames=frames)
    chunks = [Frame(_chunk(event.payload), event.delay_s) for event in answer.events]
    return Wire(head=HEAD, frames=(*chunks, Frame(LAST_CHUNK)), chunked=True)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _acts(fault: Fault, answer: Answer, *, chunked: bool = True) -> tuple[Act, ...]:
    return fault.on_delivery(_wire(fault.on_answer(answer), chunked=chunked))


def _sent(acts: tuple[Act, ...]) -> bytes:
    return b"".join([act.data for act in acts if isinstance(act, Send)])


def _later(event: Event, delay_s: float) -> Event:
    return event._replace(delay_s=delay_s)


KEEP_ALIVE = Event("comment", b": keep-alive\n\n")
CHAT_ERROR = Event(
    "error",
    b'data: {"error":{"message":"The server had an error while processing your request.",'
    b'"type":"server_error","param":null,"code":null}}\n\n',
)
MESSAGES_ERROR = Event(
    "error",
    b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error",'
    b'"message":"Overloaded"}}\n\n',
)
RESPONSES_ERROR = Event(
    "error",
    b'event: error\ndata: {"type":"error","code":"server_error","message":"The server had an error'
    b' while processing your request.","param":null,"sequence_number":2}\n\n',
)


@pytest.mark.parametrize(
    ("fault", "answer", "said"),
    [
        (MissingDone(), CHAT, (ROLE, ONE, TWO, THREE, WHY, USAGE)),
        (MissingDone(), MESSAGE, (START, *DELTAS, DELTA)),
        (MissingDone(), RESPONSE, (CREATED, *PIECES)),
        (DuplicateDone(), CHAT, (*CHAT.events, DONE)),
        (DuplicateDone(), MESSAGE, (*MESSAGE.events, STOP)),
        (DuplicateDone(), RESPONSE, (*RESPONSE.events, COMPLETED)),
        (LateDone(), CHAT, (*CHAT.events[:-1], _later(DONE, 5.0))),
        (LateDone(delay_s=0.5), MESSAGE, (*MESSAGE.events[:-1], _later(STOP, 0.5))),
        (ErrorEventAfterContent(), CHAT, (ROLE, ONE, CHAT_ERROR)),
        (ErrorEventAfterContent(after_chunks=0), CHAT, (ROLE, CHAT_ERROR)),
        (ErrorEventAfterContent(after_chunks=9), CHAT, (ROLE, ONE, TWO, THREE, CHAT_ERROR)),
        (ErrorEventAfterContent(after_chunks=2), MESSAGE, (START, *DELTAS, MESSAGES_ERROR)),
        (ErrorEventAfterContent(), RESPONSE, (CREATED, PIECES[0], RESPONSES_ERROR)),
        (DuplicateChunks(), CHAT, (ROLE, ONE, _later(ONE, 0.0), *CHAT.events[2:])),
        (DuplicateChunks(at=9), CHAT, (*CHAT.events[:4], _later(THREE, 0.0), *CHAT.events[4:])),
        (DuplicateChunks(at=1), MESSAGE, (START, *DELTAS, DELTAS[1], DELTA, STOP)),
        (ReorderedChunks(), CHAT, (ROLE, TWO, ONE, *CHAT.events[3:])),
        (ReorderedChunks(at=1), CHAT, (ROLE, ONE, THREE, TWO, *CHAT.events[4:])),
        (ReorderedChunks(at=7), CHAT, (ROLE, ONE, THREE, TWO, *CHAT.events[4:])),
        (ReorderedChunks(), MESSAGE, (START, *DELTAS[::-1], DELTA, STOP)),
        (ReorderedChunks(), _stream(ONE, ONE, TWO, DONE), (ONE, TWO, ONE, DONE)),
        (ReorderedChunks(), _stream(_later(ONE, 9), TWO), (_later(TWO, 9), ONE)),
        (
            KeepAliveComments(),
            MESSAGE,
            (START, KEEP_ALIVE, DELTAS[0], KEEP_ALIVE, *MESSAGE.events[2:]),
        ),
        (KeepAliveComments(every=2), CHAT, (ROLE, ONE, KEEP_ALIVE, *CHAT.events[2:])),
        (KeepAliveComments(every=9), CHAT, (ROLE, ONE, TWO, KEEP_ALIVE, *CHAT.events[3:])),
    ],
    ids=repr,
)
def test_the_events_are_what_the_fault_says(
    fault: Fault, answer: Answer, said: tuple[Event, ...]
) -> None:
    """I know event by event what my client is sent."""
    assert said == fault.on_answer(answer).events


def test_lines_end_in_three_ways_by_turns() -> None:
    """Event by event my client meets LF, CRLF and CR, and the same text."""
    said = MixedLineEnds().on_answer(MESSAGE).events

    assert [it.payload for it in said] == [
        START.payload,
        DELTAS[0].payload.replace(b"\n", b"\r\n"),
        DELTAS[1].payload.replace(b"\n", b"\r"),
        DELTA.payload,
        STOP.payload.replace(b"\n", b"\r\n"),
    ]
    assert b"".join([it.payload for it in said]).splitlines() == _sent_lines(MESSAGE)


def _sent_lines(answer: Answer) -> list[bytes]:
    return b"".join([event.payload for event in answer.events]).splitlines()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (CHAT, (ROLE, ONE, TWO, THREE, WHY, DONE)),
        (
            MESSAGE,
            (
                Event(
                    "start",
                    b'event: message_start\ndata: {"type":"message_start",'
                    b'"message":{"id":"m"}}\n\n',
                ),
                *DELTAS,
                Event("finish", b'event: message_delta\ndata: {"delta":{}}\n\n'),
                STOP,
            ),
        ),
        (
            RESPONSE,
            (
                CREATED,
                *PIECES,
                Event("end", b'event: response.completed\ndata: {"response":{"id":"r"}}\n\n'),
            ),
        ),
    ],
    ids=STREAMS,
)
def test_no_stream_says_what_it_cost(answer: Answer, said: tuple[Event, ...]) -> None:
    """Token counts are gone wherever the API says them, and nothing else is."""
    assert said == NoUsage().on_answer(answer).events


def test_no_body_says_what_it_cost() -> None:
    """A JSON body loses its token counts, too."""
    assert b'{"a":1}' == NoUsage().on_answer(COUNTED).body


@pytest.mark.parametrize("answer", [CHAT, MESSAGE, RESPONSE], ids=STREAMS)
@pytest.mark.parametrize(
    ("ending", "acts"), [("close", (Close(),)), ("reset", (Reset(),)), ("end", ())]
)
def test_a_stream_is_cut_at_any_byte(answer: Answer, ending: Any, acts: tuple[Act, ...]) -> None:
    """Exactly the bytes I ask for arrive, up to all but one, and the end is the one I chose."""
    whole = b"".join([event.payload for event in answer.events])
    for cut in range(len(whole) + 2):
        fault = CutStream(after_bytes=cut, ending=ending)
        said = fault.on_answer(answer).events
        played = _acts(fault, answer)

        assert whole[: min(cut, len(whole) - 1)] == b"".join([event.payload for event in said])
        assert acts == tuple(act for act in played if isinstance(act, Close | Reset))
        framed = b"".join([_chunk(event.payload) for event in said])
        assert HEAD + framed + (LAST_CHUNK if ending == "end" else b"") == _sent(played)


def test_a_cut_falls_inside_a_character() -> None:
    """The bytes that arrive need not be UTF-8."""
    at = _sent_bytes(CHAT).index("ü".encode()) + 1
    [*_, last] = CutStream(after_bytes=at).on_answer(CHAT).events

    assert last.payload.endswith("ü".encode()[:1])


def _sent_bytes(answer: Answer) -> bytes:
    return b"".join([event.payload for event in answer.events])


def test_a_cut_stream_of_http_1_0_ends_where_it_is_cut() -> None:
    """A client that knows no chunks gets the same bytes and the same end."""
    acts = _acts(CutStream(after_bytes=9), CHAT, chunked=False)

    assert _wire(CHAT, chunked=False).head + _sent_bytes(CHAT)[:9] == _sent(acts)
    assert Close() == acts[-1]


@pytest.mark.parametrize(("after_chunks", "before"), [(0, 1), (1, 2), (2, 3), (3, 4), (9, 4)])
def test_a_stream_stalls_between_two_events(after_chunks: int, before: int) -> None:
    """Silence falls after the chunks I count; healed, the rest comes at its own pace."""
    events = CHAT.events
    acts = _acts(StallMidStream(after_chunks=after_chunks), CHAT)
    at = acts.index(Stall())

    assert HEAD + _framed(events[:before]) == _sent(acts[:at])
    assert _framed(events[before:]) + LAST_CHUNK == _sent(acts[at:])
    rest = events[before + 1 :]
    assert [event.delay_s for event in rest if event.delay_s] == [
        act.seconds for act in acts[at:] if isinstance(act, Wait)
    ]


def _framed(events: tuple[Event, ...]) -> bytes:
    return b"".join([_chunk(event.payload) for event in events])


@pytest.mark.parametrize(("chunked", "held"), [(True, LAST_CHUNK), (False, b"")])
def test_a_stream_that_ends_with_its_text_stalls_before_its_end(chunked: bool, held: bytes) -> None:
    """Where no event is left to hold back, the end of the body is."""
    acts = _acts(StallMidStream(), _stream(ROLE, _later(ONE, 0)), chunked=chunked)
    at = acts.index(Stall())

    assert held == _sent(acts[at:])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: CutStream(after_bytes=-1), "after_bytes must be an integer >= 0, got -1"),
        (lambda: CutStream(after_bytes=True), "after_bytes must be an integer >= 0, got True"),
        (
            lambda: CutStream(ending="fin"),  # type: ignore[arg-type]
            "ending must be one of 'close', 'reset', 'end', got 'fin'",
        ),
        (lambda: LateDone(delay_s=0), "delay_s must be > 0 to have an effect, got 0"),
        (lambda: LateDone(delay_s=float("nan")), "delay_s must be a finite number >= 0, got nan"),
        (
            lambda: ErrorEventAfterContent(after_chunks=-2),
            "after_chunks must be an integer >= 0, got -2",
        ),
        (lambda: DuplicateChunks(at=-1), "at must be an integer >= 0, got -1"),
        (lambda: ReorderedChunks(at=-1), "at must be an integer >= 0, got -1"),
        (lambda: KeepAliveComments(every=0), "every must be an integer >= 1, got 0"),
        (lambda: StallMidStream(after_chunks=-1), "after_chunks must be an integer >= 0, got -1"),
    ],
)
def test_a_parameter_out_of_range_is_refused(make: Callable[[], Fault], told: str) -> None:
    """I am told which value is wrong and which are legal."""
    with pytest.raises(PlanError) as refusal:
        make()

    assert str(refusal.value).endswith(f": {told}")


def _unchanged(fault: Fault) -> list[str]:
    """Answers that the fault says it applies to, and that are sent as without it."""
    return [
        name
        for name, answer in ANSWERS.items()
        if fault.applies_to(answer) and _acts(fault, answer) == _acts(Fault(), answer)
    ]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_applies_changes_what_is_sent(fault: type[Fault]) -> None:
    """No fault is counted as injected that my client could not have noticed."""
    assert [] == _unchanged(fault())


class SwapsBlindly(StreamFault):
    """A broken twin: it does not look at the two pieces that it swaps."""

    def struck(self, events: tuple[Event, ...]) -> Iterable[Event]:
        """The first two pieces in the wrong order, if there are two."""
        first, second = (*places(events, "content"), -1)[:2]
        said = list(events)
        said[first], said[second] = said[second], said[first]
        return said


def test_the_law_catches_a_fault_without_an_effect() -> None:
    """A fault that strikes where nobody can notice does not pass."""
    assert ["same"] == _unchanged(SwapsBlindly())


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("name", STREAMS)
def test_each_fault_strikes_each_api(fault: type[Fault], name: str) -> None:
    """Whichever provider's stream I read, every stream fault is there to test it."""
    assert fault().applies_to(ANSWERS[name])


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("name", ["silent", "body"])
def test_where_nothing_is_streamed_nothing_is_struck(fault: type[Fault], name: str) -> None:
    """Even a script that insists gets the good answer there."""
    answer = ANSWERS[name]

    assert not fault().applies_to(answer)
    assert answer == fault().on_answer(answer)
    if not answer.streamed:
        assert _acts(Fault(), answer) == _acts(fault(), answer)
