"""Faults inside what is said: exact bytes, and the law that one that applies has an effect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.errors import InternalError
from chaoscheck.plan.answer import Answer, Event, Shape
from chaoscheck.plan.catalogue import FAULTS
from chaoscheck.plan.delivery import Act, Frame, Wire
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.retry_after_fault import RetryAfterFault
from chaoscheck.plan.fault_kinds.status_fault import StatusFault
from chaoscheck.plan.fault_kinds.stream_fault import StreamFault
from chaoscheck.plan.fault_kinds.tool_call_fault import ToolCallFault
from chaoscheck.plan.faults.broken_chunking import BrokenChunking
from chaoscheck.plan.faults.close_mid_body import CloseMidBody
from chaoscheck.plan.faults.content_length_long import ContentLengthLong
from chaoscheck.plan.faults.duplicate_keys import DuplicateKeys
from chaoscheck.plan.faults.empty_body import EmptyBody
from chaoscheck.plan.faults.empty_choices import EmptyChoices
from chaoscheck.plan.faults.huge_body import HugeBody
from chaoscheck.plan.faults.invalid_json import InvalidJson
from chaoscheck.plan.faults.invalid_utf8 import InvalidUtf8
from chaoscheck.plan.faults.missing_fields import MissingFields
from chaoscheck.plan.faults.nan import Nan
from chaoscheck.plan.faults.null_content import NullContent
from chaoscheck.plan.faults.slow_drip import SlowDrip
from chaoscheck.plan.faults.truncated_json import TruncatedJson
from chaoscheck.plan.faults.wrong_content_type import WrongContentType
from chaoscheck.plan.faults.wrong_types import WrongTypes
from chaoscheck.strategies.faults import faults as drawn
from chaoscheck.wire.response_head import response_head

JSON = (("content-type", "application/json"),)

CHAT = Answer(
    status=200,
    headers=JSON,
    body=b'{"created":7,"choices":[{"message":{"content":"h\\u00e9"}}],"usage":{"total_tokens":2}}',
    shape=Shape(
        content=("choices", 0, "message", "content"),
        number=("created",),
        items=("choices",),
        usage=("usage",),
    ),
)
MESSAGE = Answer(
    status=200,
    headers=JSON,
    body=b'{"content":[{"type":"text","text":"hi"}],"usage":{"input_tokens":1}}',
    shape=Shape(
        content=("content", 0, "text"),
        number=("usage", "input_tokens"),
        items=("content",),
        usage=("usage",),
    ),
)
EMBEDDING = Answer(
    status=200,
    headers=JSON,
    body=b'{"data":[{"embedding":[0.5,-1.0],"index":0}]}',
    shape=Shape(content=("data", 0, "embedding"), number=("data", 0, "index"), items=("data",)),
)
FIRST = b'data: {"choices":[{"index":0,"delta":{"content":"h"}}]}\n\n'
CHAT_STREAM = Answer(
    status=200,
    headers=(("Content-Type", "text/event-stream"),),
    streamed=True,
    events=(
        Event("start", b'data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'),
        Event("content", FIRST),
        Event("content", FIRST.replace(b'"h"', b'"i"'), 0.5),
        Event("end", b"data: [DONE]\n\n"),
    ),
    shape=Shape(
        content=("choices", 0, "delta", "content"),
        number=("choices", 0, "index"),
        items=("choices",),
    ),
)
MESSAGE_STREAM = Answer(
    status=200,
    streamed=True,
    events=(
        Event("content", b'event: content_block_delta\ndata:{"index":0,"delta":{"text":"h"}}\n\n'),
    ),
    shape=Shape(content=("delta", "text"), number=("index",), items=("delta",)),
)
BARE = Answer(status=200, headers=JSON, body=b"[]")  # JSON whose shape nobody knows
EMPTY = Answer(status=200)
SILENT_STREAM = Answer(status=200, streamed=True)

GOOD = {
    "chat": CHAT,
    "message": MESSAGE,
    "embedding": EMBEDDING,
    "chat_stream": CHAT_STREAM,
    "message_stream": MESSAGE_STREAM,
}
EVERY = {**GOOD, "bare": BARE, "empty": EMPTY, "silent_stream": SILENT_STREAM}

OF_A_LENGTH = {"content_length_long", "content_length_short"}

_ELSEWHERE = StatusFault | RetryAfterFault | StreamFault | ToolCallFault
#: All faults but those that say an error, and those of streams or of tool calls alone.
KINDS = [kind for kind in FAULTS if not issubclass(kind, _ELSEWHERE)]


def _wire(answer: Answer) -> Wire:
    """The answer rendered as the server renders it."""
    if not answer.streamed:
        head = response_head(answer.status, answer.headers, len(answer.body))
        return Wire(head=head, frames=(Frame(answer.body, answer.delay_s),))
    head = response_head(answer.status, answer.headers, None)
    chunks = [
        Frame(b"%x\r\n%b\r\n" % (len(event.payload), event.payload), event.delay_s)
        for event in answer.events
    ]
    return Wire(head=head, frames=(*chunks, Frame(b"0\r\n\r\n")), chunked=True)


def _script(fault: Fault, answer: Answer) -> tuple[Act, ...]:
    return fault.on_delivery(_wire(fault.on_answer(answer)))


def _without_effect(faults: list[Fault]) -> Iterator[tuple[Fault, str]]:
    """The law: where a fault applies, the client is sent something else than the good answer."""
    for fault in faults:
        for name, answer in EVERY.items():
            if fault.applies_to(answer) and _script(fault, answer) == _wire(answer).acts():
                yield fault, name


@given(st.lists(drawn(FAULTS), min_size=1))
def test_a_fault_that_applies_has_an_effect(faults: list[Fault]) -> None:
    """Whatever its parameters, no fault is counted that my client could not notice."""
    assert [] == list(_without_effect(faults))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SaysItTwice(Fault):
    """A planted no-op: it writes the JSON anew and claims that this is a misbehaviour."""

    name: ClassVar[str] = "says_it_twice"

    def on_answer(self, answer: Answer) -> Answer:
        """The same document, compact as it was."""
        return answer._replace(body=bytes(answer.body))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CutsAtTheEnd(CloseMidBody):
    """A planted near miss: it is not clipped, so on a short body all is sent and nothing ends."""

    name: ClassVar[str] = "cuts_at_the_end"

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """The first bytes, or all of them."""
        return wire.until(self.after_bytes)


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        (SaysItTwice(), list(EVERY)),
        (CutsAtTheEnd(after_bytes=60), ["embedding", "bare", "silent_stream"]),
    ],
    ids=repr,
)
def test_the_law_catches_a_fault_without_an_effect(fault: Fault, names: list[str]) -> None:
    """A fault that does nothing, here or there, does not pass."""
    assert [(fault, name) for name in names] == list(_without_effect([fault]))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_fault_applies_to_each_good_answer_that_it_can_change(kind: type[Fault]) -> None:
    """Conversations and streams meet every fault but those of a promised length."""
    named = {name for name, answer in GOOD.items() if kind().applies_to(answer)}
    bodies = {"chat", "message", "embedding"}

    assert named == (bodies if kind.name in OF_A_LENGTH else set(GOOD))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("name", EVERY)
def test_a_fault_that_a_script_forces_upon_an_answer_breaks_nothing(
    kind: type[Fault], name: str
) -> None:
    """Where a fault has no hold, it leaves the answer's text alone, and the server lives."""
    fault, answer = kind(), EVERY[name]
    assert isinstance(_script(fault, answer), tuple)

    if not fault.applies_to(answer) and kind.name not in OF_A_LENGTH:
        assert answer == fault.on_answer(answer)


@pytest.mark.parametrize(
    ("fault", "answer", "applies"),
    [
        (MissingFields(part="usage"), CHAT, True),
        (MissingFields(part="usage"), EMBEDDING, False),
        (WrongTypes(part="usage"), CHAT_STREAM, False),
        (NullContent(), BARE, False),
        (InvalidJson(), BARE, True),
        (InvalidJson(), SILENT_STREAM, False),
        (TruncatedJson(), EMPTY, False),
        (EmptyBody(), EMPTY, False),
        (HugeBody(), EMPTY, False),
        (ContentLengthLong(), EMPTY, False),
        (BrokenChunking(), SILENT_STREAM, False),
        (SlowDrip(), Answer(status=200, body=b"1"), False),
        (WrongContentType(), Answer(status=200, headers=(("content-type", "text/html"),)), False),
        (
            DuplicateKeys(),
            Answer(status=200, body=b"[1]", shape=Shape(content=(0,), number=(0,))),
            False,
        ),
    ],
)
def test_a_fault_applies_only_where_it_has_a_hold(
    fault: Fault, answer: Answer, applies: bool
) -> None:
    """A fault waits for an answer that it can spoil."""
    assert applies == fault.applies_to(answer)


CHAT_LINE = b'{"created":7,"choices":[{"message":{"content":%b}}],"usage":{"total_tokens":2}}'
MESSAGE_LINE = b'{"content":[{"type":"text","text":%b}],"usage":{"input_tokens":1}}'
EMBEDDING_LINE = b'{"data":[{"embedding":%b,"index":0}]}'


@pytest.mark.parametrize(
    ("fault", "answer", "body"),
    [
        (InvalidJson(), MESSAGE, b"{," + MESSAGE.body[1:]),
        (TruncatedJson(after_bytes=13), MESSAGE, b'{"content":[{'),
        (TruncatedJson(after_bytes=999), MESSAGE, MESSAGE.body[:-1]),
        (TruncatedJson(after_bytes=999), Answer(status=200, body=b"{}\n"), b"{"),
        (EmptyBody(), CHAT, b""),
        (MissingFields(), CHAT, CHAT_LINE.replace(b'"content":%b', b"")),
        (MissingFields(), MESSAGE, MESSAGE_LINE.replace(b',"text":%b', b"")),
        (MissingFields(part="items"), MESSAGE, b'{"usage":{"input_tokens":1}}'),
        (MissingFields(part="items"), CHAT, b'{"created":7,"usage":{"total_tokens":2}}'),
        (
            MissingFields(part="usage"),
            CHAT,
            b'{"created":7,"choices":[{"message":{"content":"h\\u00e9"}}]}',
        ),
        (WrongTypes(), CHAT, CHAT_LINE % b"42"),
        (WrongTypes(), EMBEDDING, EMBEDDING_LINE % b'"wrong type"'),
        (
            WrongTypes(part="items"),
            MESSAGE,
            b'{"content":"wrong type","usage":{"input_tokens":1}}',
        ),
        (
            WrongTypes(part="usage"),
            MESSAGE,
            b'{"content":[{"type":"text","text":"hi"}],"usage":"wrong type"}',
        ),
        (NullContent(), CHAT, CHAT_LINE % b"null"),
        (NullContent(), MESSAGE, MESSAGE_LINE % b"null"),
        (EmptyChoices(), CHAT, b'{"created":7,"choices":[],"usage":{"total_tokens":2}}'),
        (Nan(), CHAT, CHAT.body.replace(b"7", b"NaN")),
        (Nan(), MESSAGE, MESSAGE.body.replace(b"1", b"NaN")),
        (DuplicateKeys(), MESSAGE, MESSAGE_LINE % b'"hi","text":"duplicate"'),
        (DuplicateKeys(), EMBEDDING, EMBEDDING_LINE % b'[0.5,-1.0],"embedding":"duplicate"'),
        (InvalidUtf8(), CHAT, CHAT_LINE % b'"h\\u00e9\xff\xfe"'),
        (InvalidUtf8(), EMBEDDING, EMBEDDING_LINE % b'"\xff\xfe"'),
        (HugeBody(size_bytes=4), MESSAGE, MESSAGE.body + b"    "),
        (WrongContentType(), MESSAGE, MESSAGE.body),
    ],
)
def test_a_body_is_spoilt_in_one_place(fault: Fault, answer: Answer, body: bytes) -> None:
    """I know to the byte what is wrong with a body, and that nothing else is."""
    spoilt = fault.on_answer(answer)

    assert body == spoilt.body
    assert answer._replace(body=b"", headers=()) == spoilt._replace(body=b"", headers=())


EVENT = b'data: {"choices":[{"index":0,"delta":{"content":%b}}]}\n\n'
NAMED = b'event: content_block_delta\ndata:{"index":0,"delta":%b}\n\n'


@pytest.mark.parametrize(
    ("fault", "answer", "event"),
    [
        (InvalidJson(), CHAT_STREAM, b"data: {," + FIRST[7:]),
        (InvalidJson(), MESSAGE_STREAM, NAMED.replace(b":{", b":{,", 1) % b'{"text":"h"}'),
        (TruncatedJson(after_bytes=4), CHAT_STREAM, b'data: {"ch\n\n'),
        (TruncatedJson(after_bytes=999), CHAT_STREAM, FIRST[:-3] + b"\n\n"),
        (MissingFields(), CHAT_STREAM, EVENT.replace(b'"content":%b', b"")),
        (MissingFields(part="items"), CHAT_STREAM, b"data: {}\n\n"),
        (WrongTypes(), CHAT_STREAM, EVENT % b"42"),
        (WrongTypes(part="items"), MESSAGE_STREAM, NAMED % b'"wrong type"'),
        (NullContent(), CHAT_STREAM, EVENT % b"null"),
        (NullContent(), MESSAGE_STREAM, NAMED % b'{"text":null}'),
        (EmptyChoices(), CHAT_STREAM, b'data: {"choices":[]}\n\n'),
        (EmptyChoices(), MESSAGE_STREAM, NAMED % b"{}"),
        (Nan(), CHAT_STREAM, FIRST.replace(b"0", b"NaN")),
        (DuplicateKeys(), CHAT_STREAM, EVENT % b'"h","content":"duplicate"'),
        (InvalidUtf8(), MESSAGE_STREAM, NAMED % b'{"text":"h\xff\xfe"}'),
    ],
)
def test_of_a_stream_the_first_event_with_content_is_spoilt(
    fault: Fault, answer: Answer, event: bytes
) -> None:
    """Only one event differs, and it is framed and named as it was."""
    at = [event.kind for event in answer.events].index("content")
    spoilt = fault.on_answer(answer)

    assert answer.events[at]._replace(payload=event) == spoilt.events[at]
    assert answer == spoilt._replace(
        events=(*spoilt.events[:at], answer.events[at], *spoilt.events[at + 1 :])
    )


def test_the_other_value_of_a_duplicate_key_is_another() -> None:
    """Also when the true content is the very word that the fault would say."""
    answer = MESSAGE._replace(body=MESSAGE.body.replace(b"hi", b"duplicate"))
    pairs = json.loads(DuplicateKeys().on_answer(answer).body, object_pairs_hook=list)
    said = [value for key, value in pairs[0][1][0] if key == "text"]

    assert ["duplicate", "another duplicate"] == said


def test_an_empty_stream_has_no_event() -> None:
    """What is left of a stream is its last chunk."""
    assert b"0\r\n\r\n" == _wire(EmptyBody().on_answer(CHAT_STREAM)).body


def test_a_huge_stream_begins_with_one_long_comment() -> None:
    """A line of the size I asked for, which every reader skips; the events follow."""
    huge = HugeBody(size_bytes=9).on_answer(CHAT_STREAM)

    assert (Event("comment", b":        \n\n"), *CHAT_STREAM.events) == huge.events


def test_a_huge_body_still_parses() -> None:
    """Size is all that is wrong with it."""
    huge = HugeBody(size_bytes=4096).on_answer(CHAT)

    assert json.loads(CHAT.body) == json.loads(huge.body)
    assert len(CHAT.body) + 4096 == len(huge.body)


@pytest.mark.parametrize("answer", [CHAT, CHAT_STREAM, EMPTY], ids=["body", "stream", "none"])
def test_the_wrong_content_type_takes_the_place_of_the_right_one(answer: Answer) -> None:
    """There is one content type, and it is a web page's."""
    spoilt = WrongContentType().on_answer(answer)

    assert (("content-type", "text/html"),) == spoilt.headers


@pytest.mark.parametrize(
    "answer",
    [
        CHAT._replace(body=b'{"choices":[]}'),
        CHAT._replace(body=b"no JSON"),
        CHAT._replace(body=b'"text"'),
        CHAT_STREAM._replace(events=(Event("content", b"event: x\n\n"),)),
    ],
)
def test_a_shape_that_lies_is_our_own_mistake(answer: Answer) -> None:
    """An API of ours whose answers do not fit their shape is told so, and no fault is blamed."""
    with pytest.raises(InternalError):
        NullContent().on_answer(answer)
