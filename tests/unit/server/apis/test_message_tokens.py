"""Anthropic's token counting and its list of models."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault_kinds.document import remove_part
from chaoscheck.server.apis.messages.models import answer_anthropic_model, answer_anthropic_models
from chaoscheck.server.apis.messages.tokens import answer_count_tokens
from tests.unit.server.apis.message_calls import HELLO, TOOLS, called, said

HAIKU, SONNET, OPUS = (
    "claude-haiku-4-5-20251001",
    "claude-sonnet-4-5-20250929",
    "claude-opus-4-1-20250805",
)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"system": "be kind"},
        {"system": [{"type": "text", "text": "be"}, {"type": "text", "text": "very kind"}]},
        TOOLS,
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a b c"}]}]},
    ],
    ids=str,
)
def test_the_count_is_what_the_message_will_be_charged(more: dict[str, Any]) -> None:
    """Counting first and asking then come to the same number of input tokens."""
    asked = HELLO | more
    counted = {name: value for name, value in asked.items() if name != "max_tokens"}
    answer, tag = called(answer_count_tokens, counted)

    usage = said(asked)["usage"]
    assert {"input_tokens": usage["input_tokens"]} == json.loads(answer.body)
    assert (200, None) == (answer.status, tag)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"messages": HELLO["messages"]}, "model: Field required"),
        ({"model": "m"}, "messages: Field required"),
        (HELLO | {"tools": 7}, "tools: Input should be a valid list"),
        (b"{", "The request body is not valid JSON: "),
    ],
    ids=str,
)
def test_what_cannot_be_counted_is_refused(body: object, told: str) -> None:
    """A mistake costs me a 400 that names it."""
    answer, _ = called(answer_count_tokens, body)

    assert answer.error is not None
    assert (400, told) == (answer.status, answer.error.message[: len(told)])


def _page(query: str) -> dict[str, Any]:
    answer, tag = called(answer_anthropic_models, query=query)
    assert (200, None) == (answer.status, tag)
    page: dict[str, Any] = json.loads(answer.body)
    return page


@pytest.mark.parametrize(
    ("query", "names", "more"),
    [
        ("", [HAIKU, SONNET, OPUS], False),
        ("limit=1000", [HAIKU, SONNET, OPUS], False),
        ("limit=2", [HAIKU, SONNET], True),
        (f"limit=2&after_id={SONNET}", [OPUS], False),
        (f"after_id={OPUS}", [], False),
        (f"before_id={OPUS}&limit=1", [SONNET], True),
        (f"before_id={SONNET}", [HAIKU], False),
    ],
)
def test_models_are_listed_page_by_page(query: str, names: list[str], more: bool) -> None:
    """Each page has what I asked for, its ends, and whether there is more."""
    page = _page(query)

    assert (names, more) == ([model["id"] for model in page["data"]], page["has_more"])
    ends = (names[0], names[-1]) if names else (None, None)
    assert ends == (page["first_id"], page["last_id"])


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("limit=x", "limit: Input should be a valid integer"),
        ("limit=", "limit: Input should be a valid integer"),
        ("limit=-1", "limit: Input should be a valid integer"),
        ("limit=0", "limit: Input should be greater than or equal to 1"),
        ("limit=1001", "limit: Input should be less than or equal to 1000"),
        ("after_id=gpt", "after_id: no model has the id 'gpt'"),
        (f"after_id={OPUS}&before_id={OPUS}", "Only one of `before_id` and `after_id` may be set"),
    ],
)
def test_a_page_that_is_none_is_refused(query: str, told: str) -> None:
    """I am told which parameter of the list is wrong."""
    answer, _ = called(answer_anthropic_models, query=query)

    assert answer.error is not None
    assert (400, told) == (answer.status, answer.error.message)


@pytest.mark.parametrize("name", [SONNET, "claude-sonnet-4-5"])
def test_a_model_is_found_by_its_id_or_its_alias(name: str) -> None:
    """One model is told as the list tells it."""
    answer, _ = called(answer_anthropic_model, model=name)

    assert _page("")["data"][1] == json.loads(answer.body)


@pytest.mark.parametrize("name", ["gpt-4", "claude-sonnet", "x" * 10_000])
def test_a_model_that_is_none_is_not_found(name: str) -> None:
    """A wrong id is a 404 that repeats it, cut short."""
    answer, _ = called(answer_anthropic_model, model=name)

    assert answer.error is not None
    assert (404, f"model: {name[:200]}") == (answer.status, answer.error.message)


def _good_answers() -> list[Answer]:
    return [
        called(answer_count_tokens, HELLO)[0],
        called(answer_anthropic_models)[0],
        called(answer_anthropic_model, model=HAIKU)[0],
    ]


def test_what_these_answers_hold_is_where_their_shape_says() -> None:
    """Faults that edit an answer find its content and a number."""
    for answer in _good_answers():
        for part in ("content", "number"):
            assert answer != remove_part(answer, part)
