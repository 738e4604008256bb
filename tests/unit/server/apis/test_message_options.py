"""Structured output, thinking and sampling of Anthropic's messages: done, or refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaoscheck.plan.faults.null_content import NullContent
from tests.unit.server.apis.calls import at, says
from tests.unit.server.apis.message_calls import HELLO, TOOLS, answered, refusal, said

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FORMAT = {"type": "json_schema", "schema": CITY}
ENABLED = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1025}
THOUGHTS = "The last message asks for an answer, so I write one."
THOUGHT_TOKENS = len(THOUGHTS.split())


@pytest.mark.parametrize(
    "options", [{"output_config": {"format": FORMAT, "effort": "low"}}, {"output_format": FORMAT}]
)
def test_a_format_is_kept(options: dict[str, object]) -> None:
    """The text is JSON that fits my schema, under either name of the parameter."""
    [block] = said(HELLO | options)["content"]

    assert {"city": "hello there"} == json.loads(block["text"])


@pytest.mark.parametrize("options", [{"output_config": None}, {"output_config": {"format": None}}])
def test_null_is_no_format(options: dict[str, object]) -> None:
    """null is what an absent parameter is."""
    [block] = said(HELLO | options | {"thinking": None, "temperature": None})["content"]

    assert "hello there" == block["text"]


def test_a_streamed_format_is_the_same_text() -> None:
    """Delta by delta."""
    answer, text = answered(HELLO | {"output_format": FORMAT, "stream": True})

    pieces = [event["delta"]["text"] for event in says(answer, "content")]
    assert text == "".join(pieces)
    assert {"city": "hello there"} == json.loads("".join(pieces))


def test_thoughts_come_before_the_text() -> None:
    """A signed block, whose tokens are counted, and then what is said otherwise."""
    message = said(HELLO | ENABLED)

    thought, block = message["content"]
    assert ("thinking", THOUGHTS) == (thought["type"], thought["thinking"])
    assert thought["signature"]
    assert ("text", "hello there") == (block["type"], block["text"])
    assert THOUGHT_TOKENS + 2 == message["usage"]["output_tokens"]
    assert {"thinking_tokens": THOUGHT_TOKENS} == message["usage"]["output_tokens_details"]


def test_streamed_thoughts_are_the_same_blocks() -> None:
    """Deltas of the thinking, its signature, then deltas of the text in a block of its own."""
    answer, _ = answered(HELLO | ENABLED | {"stream": True})
    deltas = [event for event in says(answer) if event["type"] == "content_block_delta"]

    kinds = [(event["index"], event["delta"]["type"]) for event in deltas]
    assert [
        *[(0, "thinking_delta")] * THOUGHT_TOKENS,
        (0, "signature_delta"),
        *[(1, "text_delta")] * 2,
    ] == kinds
    assert THOUGHTS == "".join([event["delta"].get("thinking", "") for event in deltas])


@pytest.mark.parametrize("streamed", [False, True])
def test_faults_find_the_text_behind_thoughts(streamed: bool) -> None:
    """A fault of the content strikes the text, not the thinking."""
    answer, _ = answered(HELLO | ENABLED | {"stream": streamed})
    struck = NullContent().on_answer(answer)

    document = says(struck, "content")[0] if streamed else json.loads(struck.body)
    assert struck.shape is not None
    assert at(document, struck.shape.content) is None


def test_thoughts_may_be_hidden() -> None:
    """Omitted thinking is signed, and counted, all the same."""
    hidden = {"thinking": {"type": "adaptive", "display": "omitted"}, "max_tokens": 99}
    message = said(HELLO | hidden)

    assert ("", True) == (
        message["content"][0]["thinking"],
        bool(message["content"][0]["signature"]),
    )
    assert THOUGHT_TOKENS + 2 == message["usage"]["output_tokens"]


@pytest.mark.parametrize(
    "options",
    [
        {"thinking": {"type": "disabled"}},
        {"thinking": {"type": "adaptive"}},  # 10 tokens leave no room for it.
        {"thinking": {"type": "between_tools"}, "max_tokens": 99},
    ],
)
def test_nothing_is_thought_where_nothing_has_to_be(options: dict[str, object]) -> None:
    """Then the message is the text alone."""
    assert ["text"] == [block["type"] for block in said(HELLO | options)["content"]]


def test_the_limit_holds_for_thoughts_and_text_together() -> None:
    """max_tokens is spent by the thinking first."""
    options = {"thinking": {"type": "adaptive"}, "max_tokens": THOUGHT_TOKENS + 1}
    message = said(HELLO | options)

    assert ("hello", "max_tokens") == (message["content"][1]["text"], message["stop_reason"])
    assert THOUGHT_TOKENS + 1 == message["usage"]["output_tokens"]


BUDGET = "thinking.enabled.budget_tokens"
PREFILLED = [*HELLO["messages"], {"role": "assistant", "content": "so"}]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"output_config": 1}, "output_config: Input should be a valid dictionary"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort: Input should be one of"),
        ({"output_config": {"format": {}}}, "output_config.format.type: Field required"),
        ({"output_config": {"format": {"type": "xml"}}}, "type: Input should be 'json_schema'"),
        ({"output_format": {"type": "json_schema"}}, "output_format.schema: Field required"),
        ({"output_format": FORMAT, "output_config": {"format": FORMAT}}, "Only one of"),
        ({"thinking": 1}, "thinking: Input should be"),
        ({"thinking": {}}, "thinking.type: Field required"),
        ({"thinking": {"type": "deep"}}, "thinking: Input tag 'deep'"),
        ({"thinking": {"type": "enabled"}}, f"{BUDGET}: Field required"),
        ({"thinking": {"type": "enabled", "budget_tokens": "1"}}, f"{BUDGET}: Input should be"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1023}}, "greater than or equal to 1024"),
        (ENABLED | {"max_tokens": 1024}, "`max_tokens` must be greater than"),
        (ENABLED | {"temperature": 0.5}, "`temperature` may only be set to 1"),
        (ENABLED | {"top_k": 5}, "`top_k` must be unset"),
        (ENABLED | {"top_p": 0.5}, "`top_p` must be"),
        (ENABLED | TOOLS | {"tool_choice": {"type": "any"}}, "Thinking may not be enabled"),
        (ENABLED | {"messages": PREFILLED}, "messages: Expected `thinking`"),
        ({"thinking": {"type": "adaptive", "display": "loud"}}, "thinking.adaptive.display"),
        ({"temperature": 1.5}, "temperature: Input should be less than or equal to 1"),
        ({"temperature": "1"}, "temperature: Input should be a valid number"),
        ({"top_p": -0.1}, "top_p: Input should be greater than or equal to 0"),
        ({"top_k": -1}, "top_k: Input should be greater than or equal to 0"),
        ({"top_k": 0.5}, "top_k: Input should be a valid integer"),
        ({"service_tier": "gold"}, "service_tier: Input should be"),
    ],
)
def test_what_cannot_be_done_is_refused(options: dict[str, object], problem: str) -> None:
    """400 in Anthropic's words, never a 200 that ignores what I asked for."""
    assert problem in refusal(HELLO | options)


SEARCH = {"type": "web_search_20250305", "name": "web_search"}
BASH = {"type": "bash_20250124", "name": "bash"}


def test_a_tool_that_runs_at_anthropic_cannot_be_forced() -> None:
    """It may be offered; a call of it would be a lie."""
    any_tool: dict[str, Any] = {"tool_choice": {"type": "any"}}

    assert "hello there" == said(HELLO | {"tools": [SEARCH]})["content"][0]["text"]
    assert "tool types: web_search_20250305" in refusal(HELLO | {"tools": [SEARCH]} | any_tool)
    [call] = said(HELLO | {"tools": [SEARCH, BASH]} | any_tool)["content"]
    assert ("bash", {"command": "hello there"}) == (call["name"], call["input"])
