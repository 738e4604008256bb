"""What a chat can be asked for beside its text: likelihoods, custom tools, functions, choices."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from chaoscheck.plan.answer import Answer
from chaoscheck.server.apis.chat.answer import answer_azure_chat, answer_chat
from chaoscheck.server.apis.token_logprobs import ALTERNATIVES_MAX, logprob_of
from tests.unit.server.apis.calls import ask, at, chat, document, says

CUSTOM = {"type": "custom", "custom": {"name": "run", "description": "Runs code"}}
FUNCTION = {
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
LEGACY = {"functions": [FUNCTION], "function_call": {"name": "weather"}}


def whole(text: str = "hello there", **parameters: object) -> Any:
    """The document of a good answer."""
    answer, _ = ask(answer_chat, chat(text, **parameters))
    assert 200 == answer.status
    return document(answer)


def streamed(text: str = "hello there", **parameters: object) -> Answer:
    """A good stream."""
    answer, _ = ask(answer_chat, chat(text, stream=True, **parameters))
    assert 200 == answer.status
    return answer


@pytest.mark.parametrize("top", [None, 0, 1, 3, 20])
def test_each_token_has_its_likelihood(top: int | None) -> None:
    """As many likeliest tokens as asked for, the said one first, the bytes those of the token."""
    (choice,) = whole("größer there", logprobs=True, top_logprobs=top)["choices"]

    entries = choice["logprobs"]["content"]
    assert ["größer ", "there"] == [entry["token"] for entry in entries]
    assert [list("größer ".encode()), list(b"there")] == [entry["bytes"] for entry in entries]
    for entry in entries:
        likeliest = entry["top_logprobs"]
        assert (top or 0) == len(likeliest)
        assert all(it["logprob"] <= entry["logprob"] for it in likeliest)
        assert not top or (entry["token"], entry["logprob"]) == (
            likeliest[0]["token"],
            likeliest[0]["logprob"],
        )
    assert choice["logprobs"]["refusal"] is None


def test_probabilities_sum_to_less_than_one() -> None:
    """However many alternatives are asked for."""
    assert 1 > sum([math.exp(logprob_of(rank)) for rank in range(ALTERNATIVES_MAX)]) > 0.9


@pytest.mark.parametrize("n", [1, 2])
def test_a_stream_says_the_same_likelihoods(n: int) -> None:
    """Each piece with those of its token, in every choice."""
    asked: dict[str, Any] = {"logprobs": True, "top_logprobs": 2, "n": n}
    said = says(streamed(**asked), "content")

    for index in range(n):
        entries = [
            entry
            for chunk in said
            for choice in chunk["choices"]
            if choice["index"] == index
            for entry in choice["logprobs"]["content"]
        ]
        assert whole(**asked)["choices"][index]["logprobs"]["content"] == entries


def test_nothing_is_said_of_likelihood_unless_asked() -> None:
    """logprobs: false and null are as if absent."""
    for off in (False, None):
        assert whole(logprobs=off, top_logprobs=None)["choices"][0]["logprobs"] is None


@pytest.mark.parametrize("choice", ["required", {"type": "custom", "custom": {"name": "run"}}])
def test_a_custom_tool_is_called_with_text(choice: object) -> None:
    """Its input is no JSON, whole or streamed."""
    asked: dict[str, Any] = {"tools": [CUSTOM], "tool_choice": choice}
    (said,) = whole("print(1)", **asked)["choices"]
    answer = streamed("print(1)", **asked)

    call = {"id": "call_000007_0", "type": "custom"}
    custom = {"name": "run", "input": "print(1)"}
    assert [{**call, "custom": custom}] == said["message"]["tool_calls"]
    assert ("tool_calls", None) == (said["finish_reason"], said["message"]["content"])
    opening = says(answer, "start")[1]["choices"][0]["delta"]["tool_calls"][0]
    assert {"index": 0, **call, "custom": {"name": "run", "input": ""}} == opening
    assert answer.shape is not None
    pieces = [at(chunk, answer.shape.content) for chunk in says(answer, "content")]
    assert "print(1)" == "".join(pieces)


def test_a_legacy_function_is_called() -> None:
    """function_call in place of tool_calls, with its own finish reason, whole or streamed."""
    (said,) = whole("Rome", **LEGACY)["choices"]
    answer = streamed("Rome", **LEGACY)

    message = said["message"]
    assert {"name": "weather", "arguments": '{"city":"Rome"}'} == message["function_call"]
    assert ("function_call", None) == (said["finish_reason"], message["content"])
    assert "tool_calls" not in message
    assert {"name": "weather", "arguments": ""} == (
        says(answer, "start")[1]["choices"][0]["delta"]["function_call"]
    )
    assert answer.shape is not None
    pieces = [at(chunk, answer.shape.content) for chunk in says(answer, "content")]
    assert {"city": "Rome"} == json.loads("".join(pieces))
    assert "function_call" == says(answer, "finish")[0]["choices"][0]["finish_reason"]


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_a_legacy_function_need_not_be_called(choice: str | None) -> None:
    """Then the echo is the text."""
    said = whole(functions=[FUNCTION], function_call=choice)

    assert "hello there" == said["choices"][0]["message"]["content"]


def test_as_many_choices_as_openai_has() -> None:
    """128 at most, each whole."""
    choices = whole(n=128)["choices"]

    assert list(range(128)) == [choice["index"] for choice in choices]
    assert {"hello there"} == {choice["message"]["content"] for choice in choices}


def test_choices_do_not_make_an_answer_endless() -> None:
    """A long text times many choices is refused before it is written."""
    answer, _ = ask(answer_chat, chat("x" * (2**20), n=128))

    assert answer.error is not None
    assert (400, "n") == (answer.status, answer.error.param)


def test_the_service_tier_is_named_if_asked_for() -> None:
    """Whole and in each chunk."""
    assert "default" == whole(service_tier="auto")["service_tier"]
    assert {"default"} == {chunk["service_tier"] for chunk in says(streamed(service_tier="flex"))}
    assert "service_tier" not in whole(service_tier=None)


def test_null_is_absent_for_every_parameter() -> None:
    """A client that writes null for what it does not set is answered as if it had not."""
    names = [
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_tokens",
        "max_completion_tokens",
        "metadata",
        "modalities",
        "moderation",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    ]

    nulls: dict[str, Any] = dict.fromkeys(names)

    assert whole() == whole(**nulls)


def test_on_azure_null_is_the_deployment() -> None:
    """A deployment is the model, whether a request leaves the model out or says null."""
    answer, _ = ask(answer_azure_chat, chat() | {"model": None}, model="gpt")

    assert "gpt" == document(answer)["model"]


def test_likelihoods_do_not_make_an_answer_endless() -> None:
    """A short prompt with all alternatives is refused before tens of megabytes are written."""
    answer, _ = ask(answer_chat, chat("a " * 20_000, logprobs=True, top_logprobs=20))

    assert answer.error is not None
    assert (400, "logprobs") == (answer.status, answer.error.param)
