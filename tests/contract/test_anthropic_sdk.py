"""What the unmodified anthropic SDK makes of our Messages API: sync and async, streamed and not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import pytest
from pydantic import BaseModel

from chaoscheck.plan.fault import Fault
from chaoscheck.plan.faults.cut_stream import CutStream
from chaoscheck.plan.faults.duplicate_chunks import DuplicateChunks
from chaoscheck.plan.faults.duplicate_done import DuplicateDone
from chaoscheck.plan.faults.error_event_after_content import ErrorEventAfterContent
from chaoscheck.plan.faults.keep_alive_comments import KeepAliveComments
from chaoscheck.plan.faults.missing_done import MissingDone
from chaoscheck.plan.faults.mixed_line_ends import MixedLineEnds
from chaoscheck.plan.faults.no_usage import NoUsage
from chaoscheck.plan.faults.reordered_chunks import ReorderedChunks
from chaoscheck.plan.faults.stall_mid_stream import StallMidStream
from tests.contract.anthropic_clients import SDKS, Sdk

TEXT = "größer ist\nnot  better 日本"
WORDS = len(TEXT.split())
HELLO: dict[str, Any] = {
    "model": "m",
    "max_tokens": 99,
    "messages": [{"role": "user", "content": TEXT}],
}
WEATHER: dict[str, Any] = {
    "name": "weather",
    "description": "The weather at a place",
    "input_schema": {
        "type": "object",
        "properties": {"place": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
        "required": ["place", "days"],
    },
}
FORCED = {"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "weather"}}


@pytest.fixture(params=SDKS)
def sdk(request: pytest.FixtureRequest) -> Iterator[Sdk]:
    """The SDK, each way, and a silent server."""
    with SDKS[request.param]() as sdk:
        yield sdk


def _text(events: list[Any]) -> str:
    return "".join([event.delta.text for event in events if event.type == "content_block_delta"])


def test_a_message_is_understood(sdk: Sdk) -> None:
    """What I said comes back as a Message, with its reason and its counts."""
    message = sdk.create(**HELLO, system="be kind", metadata={"user_id": "u"})

    [block] = message.content
    assert ("text", TEXT) == (block.type, block.text)  # type: ignore[union-attr]
    assert ("end_turn", None, "m") == (message.stop_reason, message.stop_sequence, message.model)
    assert (WORDS + 2, WORDS) == (message.usage.input_tokens, message.usage.output_tokens)


def test_a_stream_is_understood_event_by_event(sdk: Sdk) -> None:
    """The SDK knows each event, and leaves out the ping."""
    events: list[Any] = []
    sdk.events(events, **HELLO)

    assert [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * WORDS,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ] == [event.type for event in events]
    assert TEXT == _text(events)


@pytest.mark.parametrize("limit", [{}, {"max_tokens": 2}, {"stop_sequences": ["not"]}])
def test_the_helper_puts_a_stream_together(sdk: Sdk, limit: dict[str, Any]) -> None:
    """Streamed or not, I end up with the same message."""
    text, streamed = sdk.final(**HELLO | limit)
    whole = sdk.create(**HELLO | limit)

    assert [text] == [block.text for block in whole.content]  # type: ignore[union-attr]
    assert _compared(streamed) == _compared(whole)


def _compared(message: anthropic.types.Message) -> dict[str, Any]:
    return {
        "content": [
            block.model_dump(include={"type", "text", "name", "input"}) for block in message.content
        ],
        "stop": (message.stop_reason, message.stop_sequence),
        "usage": (message.usage.input_tokens, message.usage.output_tokens),
    }


class Place(BaseModel):
    """What a structured answer is parsed into."""

    city: str
    inhabitants: int
    twins: list[str]


def test_a_structured_answer_parses(sdk: Sdk) -> None:
    """The SDK's own helper finds what its type describes."""
    assert Place(city=TEXT, inhabitants=0, twins=[]) == sdk.parse(**HELLO, output_format=Place)


def test_thoughts_are_gathered_with_their_signature(sdk: Sdk) -> None:
    """Streamed or not, a thinking block and then the text."""
    thinking = HELLO | {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000}
    _, streamed = sdk.final(**thinking)
    whole = sdk.create(**thinking)

    assert ["thinking", "text"] == [block.type for block in whole.content]
    assert _compared(streamed) == _compared(whole)
    assert streamed.content[0].signature  # type: ignore[union-attr]
    assert whole.content[0].thinking == streamed.content[0].thinking  # type: ignore[union-attr]


def test_a_tool_is_called_and_its_result_is_read(sdk: Sdk) -> None:
    """A call that I force fits my schema, streamed too, and I can go on from it."""
    called = sdk.create(**HELLO, **FORCED)
    _, streamed = sdk.final(**HELLO, **FORCED)
    [block] = called.content

    assert ("tool_use", "tool_use") == (called.stop_reason, block.type)
    assert ("weather", {"place": TEXT, "days": 2}) == (
        block.name,  # type: ignore[union-attr]
        block.input,  # type: ignore[union-attr]
    )
    assert _compared(called) == _compared(streamed)
    result = {"type": "tool_result", "tool_use_id": block.id, "content": "rain"}  # type: ignore[union-attr]
    turns = [
        *HELLO["messages"],
        {"role": "assistant", "content": [block.model_dump(exclude_none=True)]},
        {"role": "user", "content": [result]},
    ]
    answer = sdk.create(**HELLO | {"messages": turns, "tools": [WEATHER]})
    assert "rain" == answer.content[0].text  # type: ignore[union-attr]


def test_tokens_are_counted_before_they_are_paid_for(sdk: Sdk) -> None:
    """The count is what the message's usage says later."""
    asked = {"model": "m", "messages": HELLO["messages"], "tools": [WEATHER]}

    counted = sdk.count_tokens(**asked)
    assert counted == sdk.create(**asked, max_tokens=9).usage.input_tokens


def test_models_are_listed_over_all_pages(sdk: Sdk) -> None:
    """Page by page or at once I see the same models, and each by its name."""
    names = sdk.models()

    assert 3 == len(names)
    assert names == sdk.models(limit=1)
    assert [sdk.model(name) for name in names] == [
        "Claude Haiku 4.5",
        "Claude Sonnet 4.5",
        "Claude Opus 4.1",
    ]
    with pytest.raises(anthropic.NotFoundError):
        sdk.model("gpt-4")


def test_a_mistake_of_mine_is_a_bad_request(sdk: Sdk) -> None:
    """The SDK raises its own class, with the message and the id of the request."""
    with pytest.raises(anthropic.BadRequestError) as refusal:
        sdk.create(**HELLO | {"max_tokens": 0})

    body: Any = refusal.value.body
    assert "invalid_request_error" == body["error"]["type"]
    assert body["error"]["message"].startswith("max_tokens: ")
    assert body["request_id"] == refusal.value.request_id


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("status_400", anthropic.BadRequestError),
        ("status_401", anthropic.AuthenticationError),
        ("status_403", anthropic.PermissionDeniedError),
        ("status_404", anthropic.NotFoundError),
        ("status_409", anthropic.ConflictError),
        ("status_413", anthropic.APIStatusError),
        ("status_422", anthropic.UnprocessableEntityError),
        ("status_429", anthropic.RateLimitError),
        ("status_500", anthropic.InternalServerError),
        ("status_529", anthropic.InternalServerError),
    ],
)
def test_a_status_is_the_sdks_own_error(
    sdk: Sdk, fault: str, error: type[anthropic.APIStatusError], streamed: bool
) -> None:
    """My except clauses meet the class that the real provider would cause."""
    sdk.server.next_fault(fault)
    with pytest.raises(error) as raised:
        sdk.final(**HELLO) if streamed else sdk.create(**HELLO)

    assert int(fault.removeprefix("status_")) == raised.value.status_code


def test_the_sdk_tries_again_by_itself(sdk: Sdk) -> None:
    """Its retries are attempts of one request, and the last one's answer is mine."""
    sdk.retries_max = 2
    for _ in range(2):
        sdk.server.next_fault("status_429(retry_after_s=0.001)")

    assert TEXT == sdk.final(**HELLO)[0]
    assert [1, 2, 3] == [exchange.attempt for exchange in sdk.server.ledger]


WORD = TEXT.split(maxsplit=1)[0] + " "


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (MissingDone(), TEXT),
        (DuplicateDone(), TEXT),
        (KeepAliveComments(), TEXT),
        (MixedLineEnds(), TEXT),
        (NoUsage(), TEXT),
        (DuplicateChunks(), WORD + TEXT),
        (ReorderedChunks(), f"ist\n{WORD}" + TEXT.removeprefix(f"{WORD}ist\n")),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
def test_a_stream_that_is_odd_is_read_as_it_is(sdk: Sdk, fault: Fault, text: str) -> None:
    """The SDK does not notice any of these: my own checks have to."""
    sdk.server.next_fault(fault)
    events: list[Any] = []
    sdk.events(events, **HELLO)

    assert text == _text(events)
    assert [fault.name] == list(sdk.server.injected)


def test_an_error_inside_a_stream_is_raised_after_its_text(sdk: Sdk) -> None:
    """I have got the first word when the SDK raises what the provider said."""
    sdk.server.next_fault(ErrorEventAfterContent())
    events: list[Any] = []
    with pytest.raises(anthropic.APIStatusError) as raised:
        sdk.events(events, **HELLO)

    body: Any = raised.value.body
    assert "overloaded_error" == body["error"]["type"]
    assert WORD == _text(events)


@pytest.mark.parametrize(
    ("ending", "error"),
    [("close", httpx2.RemoteProtocolError), ("reset", httpx2.ReadError)],
)
def test_a_stream_that_is_cut_off_is_an_error_of_the_network(
    sdk: Sdk, ending: Any, error: type[Exception]
) -> None:
    """Text that has come is mine; what follows it is the HTTP client's own exception."""
    sdk.server.next_fault(CutStream(after_bytes=700, ending=ending))
    events: list[Any] = []
    with pytest.raises((error, anthropic.APIConnectionError)):
        sdk.events(events, **HELLO)

    assert TEXT.startswith(_text(events))
    assert _text(events)


def test_a_stream_that_ends_inside_json_delivers_what_was_whole(sdk: Sdk) -> None:
    """Where HTTP is whole the SDK ends in silence, or on the broken piece: never with all."""
    sdk.server.next_fault(CutStream(after_bytes=700, ending="end"))
    events: list[Any] = []
    try:
        sdk.events(events, **HELLO)
    except (json.JSONDecodeError, anthropic.APIError):
        pass

    assert _text(events)
    assert len(_text(events)) < len(TEXT)


def test_a_silent_stream_ends_by_the_clients_patience() -> None:
    """Ten seconds of silence are a read time-out, and cost no time."""
    with SDKS["async"]() as sdk:
        sdk.server.next_fault(StallMidStream(after_chunks=2))
        events: list[Any] = []
        with pytest.raises((httpx2.ReadTimeout, anthropic.APITimeoutError)):
            sdk.events(events, **HELLO)

    assert WORD + "ist\n" == _text(events)
