"""Context windows: each provider's own refusal, and what is kept of what is too long."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.tool_calls import ToolCall
from chaoscheck.server.apis.call import Api
from chaoscheck.server.apis.chat.answer import answer_chat
from chaoscheck.server.apis.completions.answer import answer_completion
from chaoscheck.server.apis.embeddings.answer import answer_embeddings
from chaoscheck.server.apis.gemini.answer import answer_generate
from chaoscheck.server.apis.gemini.provider import GEMINI
from chaoscheck.server.apis.messages.answer import answer_message
from chaoscheck.server.apis.ollama.answer import answer_chat as answer_ollama
from chaoscheck.server.apis.responses.answer import answer_response
from chaoscheck.server.apis.speaker import Speaker
from chaoscheck.server.apis.token_counter import TokenCounter
from chaoscheck.server.providers import ANTHROPIC, AZURE, OPENAI, OPENROUTER, Provider
from tests.unit.server.apis.calls import ask, chat
from tests.unit.server.apis.message_calls import CLOCK, Caller

LONG = " ".join(f"w{at}" for at in range(9))
CONTENTS: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": LONG}]}]}
MAXIMUM = "This model's maximum context length is 8 tokens"


def _asked(api: Api, body: object, speaker: Speaker | None = None) -> Answer:
    """The answer under a window of 8 tokens for all models."""
    return ask(api, body, model="m", speaker=speaker, tokens=TokenCounter((("*", 8),)))[0]


REFUSALS: list[tuple[Api, dict[str, Any], Provider, str]] = [
    (answer_chat, chat(LONG), OPENAI, f"{MAXIMUM}. However, your messages resulted in 9 tokens."),
    (answer_chat, chat(LONG), AZURE, f"{MAXIMUM}. However, your messages resulted in 9 tokens."),
    (
        answer_chat,
        chat("a b c", max_tokens=6),
        OPENAI,
        f"{MAXIMUM}. However, you requested 9 tokens (3 in the messages, 6 in the completion).",
    ),
    (
        answer_chat,
        chat("a b c", max_tokens=6),
        OPENROUTER,
        "you requested about 9 tokens (3 of text input, 6 in the output)",
    ),
    (
        answer_completion,
        {"model": "m", "prompt": "a b c", "max_tokens": 6},
        OPENAI,
        f"{MAXIMUM}, however you requested 9 tokens (3 in your prompt; 6 for the completion).",
    ),
    (answer_response, {"model": "m", "input": LONG}, OPENAI, "Your input exceeds the context"),
    (answer_embeddings, {"model": "m", "input": ["a", LONG]}, OPENAI, "(9 in your prompt; 0 for"),
    (answer_message, chat(LONG, max_tokens=1), ANTHROPIC, "too long: 9 tokens > 8 maximum"),
    (
        answer_message,
        chat("a b c", max_tokens=6),
        ANTHROPIC,
        "input length and `max_tokens` exceed context limit: 3 + 6 > 8, decrease input length or",
    ),
    (
        answer_generate,
        CONTENTS,
        GEMINI,
        "The input token count (9) exceeds the maximum number of tokens allowed (8).",
    ),
]


@pytest.mark.parametrize(("api", "body", "provider", "says"), REFUSALS)
def test_what_does_not_fit_is_refused_in_the_providers_words(
    api: Api, body: dict[str, Any], provider: Provider, says: str
) -> None:
    """A client that looks for the message or the code finds the one it knows."""
    answer = _asked(api, body)

    assert 400 == answer.status
    assert answer.error is not None
    assert "context_length_exceeded" == answer.error.code
    said = provider.error_object(400, answer.error)
    assert isinstance(said, dict)
    assert says in str(said["message"])


def test_openai_names_the_code_and_the_parameter() -> None:
    """Retry logic that shortens its prompt goes by these."""
    error = _asked(answer_chat, chat(LONG)).error
    assert error is not None
    said = OPENAI.error_object(400, error)

    assert isinstance(said, dict)
    assert ("invalid_request_error", "context_length_exceeded", "messages") == (
        said["type"],
        said["code"],
        said["param"],
    )


def test_a_response_with_truncation_drops_the_oldest_messages() -> None:
    """What is left fits, the instructions stay, and usage counts what was read."""
    turns = [{"role": "user", "content": f"turn {number} is"} for number in range(4)]
    body = {"model": "m", "instructions": "be brief", "input": turns, "truncation": "auto"}
    said = json.loads(_asked(answer_response, body).body)

    assert "turn 3 is" == said["output"][0]["content"][0]["text"]
    assert (5, 3) == (said["usage"]["input_tokens"], said["usage"]["output_tokens"])
    alone = {"model": "m", "input": LONG, "truncation": "auto"}
    assert 400 == _asked(answer_response, alone).status


def _ollama(turns: list[tuple[str, str]], **options: int) -> Any:
    messages = [{"role": role, "content": content} for role, content in turns]
    body = {"model": "m", "messages": messages, "stream": False, "options": options}
    return json.loads(_asked(answer_ollama, body).body)


def test_ollama_drops_the_oldest_but_the_systems_messages() -> None:
    """It never refuses: it reads less, and says how much it read."""
    said = _ollama([("system", "be brief"), ("user", "a b c"), ("user", "d e f")])

    assert ("d e f", 5, 3, "stop") == (
        said["message"]["content"],
        said["prompt_eval_count"],
        said["eval_count"],
        said["done_reason"],
    )


@pytest.mark.parametrize(("context", "read"), [(None, 7), (6, 5), (99, 7), (0, 7)])
def test_ollama_goes_by_the_smaller_of_window_and_num_ctx(context: int | None, read: int) -> None:
    """One message that is too long is cut at its beginning, and there is room for a token."""
    said = _ollama([("user", LONG)], **({} if context is None else {"num_ctx": context}))

    assert (read, 1, "length") == (
        said["prompt_eval_count"],
        said["eval_count"],
        said["done_reason"],
    )
    assert f"w{9 - read}" == said["message"]["content"]


CALLING = Caller(calls=(ToolCall(name="clock", arguments='{"a": 1, "b": 2, "c": 3, "d": 4}'),))
FUNCTIONS = [{"type": "function", "function": {"name": "clock"}}]


@pytest.mark.parametrize(
    ("api", "body", "reason"),
    [
        (answer_chat, chat("a b c d e", tools=FUNCTIONS), ("choices", 0, "finish_reason")),
        (answer_message, chat("a b", max_tokens=1, tools=[CLOCK]), ("stop_reason",)),
        (
            answer_response,
            {"model": "m", "input": "a b c d e", "tools": [{"type": "function", "name": "clock"}]},
            ("status",),
        ),
        (answer_ollama, chat("a b c d", tools=FUNCTIONS, stream=False), ("done_reason",)),
    ],
)
def test_a_call_that_does_not_fit_is_not_made(
    api: Api, body: dict[str, Any], reason: tuple[str | int, ...]
) -> None:
    """No call is cut: the answer is empty, and says that the window was full."""
    answer = _asked(api, body, CALLING)
    said = json.loads(answer.body)
    why: Any = said
    for step in reason:
        why = why[step]

    assert why in ("length", "max_tokens", "incomplete")
    assert b"4}" not in answer.body
