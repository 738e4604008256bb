"""What counts against a quota of tokens: each API's usage, and each provider's own refusal."""

from __future__ import annotations

from typing import Any

import pytest

from chaoscheck.plan.fault_kinds.token_rate import token_rate_error
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.limits import TokenQuota
from chaoscheck.server.apis.call import Api
from chaoscheck.server.apis.chat.answer import answer_chat
from chaoscheck.server.apis.completions.answer import answer_completion
from chaoscheck.server.apis.embeddings.answer import answer_embeddings
from chaoscheck.server.apis.gemini.answer import answer_generate, answer_stream
from chaoscheck.server.apis.messages.answer import answer_message
from chaoscheck.server.apis.models.answer import answer_openai_models
from chaoscheck.server.apis.ollama.answer import answer_chat as answer_ollama
from chaoscheck.server.apis.responses.answer import answer_response
from chaoscheck.server.apis.routes import PROVIDERS
from chaoscheck.server.apis.token_counter import TokenCounter
from chaoscheck.server.chaos_server import ChaosServer
from tests.contract.carriers import VIRTUAL, at_rest
from tests.contract.raw_client import RawClient, Seen, chat_request
from tests.unit.server.apis.calls import ask, chat

TEXT = "one two three four five"
CONTENTS: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": TEXT}]}]}

#: An API, what it is asked, and what it counts: (input, output, reserved).
COUNTS: list[tuple[Api, dict[str, Any], tuple[int, int, int]]] = [
    (answer_chat, chat(TEXT), (5, 5, 5)),
    (answer_chat, chat(TEXT, stream=True), (5, 5, 5)),
    (answer_chat, chat(TEXT, n=3, max_tokens=2), (5, 6, 6)),
    (answer_chat, chat(TEXT, n=2, max_completion_tokens=20, stream=True), (5, 10, 40)),
    (answer_completion, {"model": "m", "prompt": [TEXT, TEXT], "max_tokens": 9}, (10, 10, 18)),
    (answer_completion, {"model": "m", "prompt": TEXT}, (5, 5, 16)),  # the default of that API
    (answer_response, {"model": "m", "input": TEXT}, (5, 5, 5)),
    (answer_response, {"model": "m", "input": TEXT, "max_output_tokens": 30}, (5, 5, 30)),
    (answer_message, chat(TEXT, max_tokens=2), (5, 2, 2)),
    (answer_message, chat(TEXT, max_tokens=50, stream=True), (5, 5, 50)),
    (answer_generate, CONTENTS, (5, 5, 5)),
    (answer_stream, CONTENTS | {"generationConfig": {"maxOutputTokens": 8}}, (5, 5, 8)),
    (answer_ollama, chat(TEXT, stream=False, options={"num_predict": 3}), (5, 3, 3)),
    (answer_ollama, chat(TEXT), (5, 5, 5)),
    (answer_embeddings, {"model": "m", "input": [TEXT, "six"]}, (6, 0, 0)),
]


def _counted(api: Api, body: object) -> tuple[Any, TokenCounter]:
    counter = TokenCounter()
    return ask(api, body, model="m", tokens=counter)[0], counter


@pytest.mark.parametrize(("api", "body", "expected"), COUNTS)
def test_each_api_counts_what_its_usage_says(
    api: Api, body: dict[str, Any], expected: tuple[int, int, int]
) -> None:
    """Whole and streamed alike: the prompt, the answer, and what was reserved for it."""
    answer, counter = _counted(api, body)

    assert 200 == answer.status
    assert ("m", *expected) == (counter.model, counter.input, counter.output, counter.reserved)


def test_what_has_no_tokens_counts_none() -> None:
    """A list of models belongs to no quota, nor does a request that was refused."""
    assert _counted(answer_openai_models, {})[1].model is None
    assert _counted(answer_chat, chat(TEXT, max_tokens=0))[1].model is None


ERROR = token_rate_error(TokenQuota(tokens=30), used=20, requested=14, model="m", wait_s=18.6415)
REFUSALS = {
    "openai": "Rate limit reached for m on tokens per min (TPM): Limit 30, Used 20, Requested 14. "
    "Please try again in 18.642s.",
    "azure": "have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry "
    "after 19 seconds.",
    "openrouter": "Provider returned error",
    "anthropic": "would exceed your organization's rate limit of 30 tokens per minute",
    "gemini": "You exceeded your current quota",
    "ollama": "too many requests",
}


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda it: it.name)
def test_each_provider_refuses_in_its_own_words(provider: Any) -> None:
    """A client that reads the message finds what that provider says."""
    said = provider.error_object(429, ERROR)

    assert REFUSALS[provider.name] in (said if isinstance(said, str) else said["message"])


def test_a_request_that_never_fits_is_too_large() -> None:
    """No wait is promised where none would do."""
    error = token_rate_error(TokenQuota(tokens=9), used=0, requested=14, model="m", wait_s=None)

    assert error.message.startswith(
        "Request too large for m on tokens per min (TPM): Limit 9, Requested 14."
    )


def test_every_answer_under_a_token_quota_says_what_is_left() -> None:
    """Good ones, the client's own mistakes, lists and unknown paths: only chats use it up."""
    server = ChaosServer(FaultPlan.of(limits=[TokenQuota(tokens=10)]))
    asked = [
        chat_request(),
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}",
        b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n",
    ]

    async def scene(host: str, port: int) -> list[Seen]:
        seen = []
        async with RawClient.connected(host, port) as raw:
            for each in asked:
                await raw.stream.send_all(each)
                seen.append(await raw.look(patience_s=1))
        await at_rest(server)
        return seen

    seen = VIRTUAL.play(server, scene)
    left = {each.header("x-ratelimit-remaining-tokens") for each in seen}

    assert [200, 400, 200, 404] == [each.status for each in seen]
    assert 1 == len(left)
    assert left < {str(number) for number in range(10)}
    assert [None] * 4 == [entry.fault for entry in server.ledger]


def test_a_refusal_is_booked_as_the_fault_that_the_limit_names() -> None:
    """Reports and recounts know it as a 429."""
    server = ChaosServer(FaultPlan.of(limits=[TokenQuota(tokens=1)]))

    async def scene(host: str, port: int) -> Seen:
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(chat_request())
            seen = await raw.look(patience_s=1)
        await at_rest(server)
        return seen

    seen = VIRTUAL.play(server, scene)

    assert (429, None) == (seen.status, seen.header("retry-after"))
    assert ["status_429(retry_after_s=None)"] == [entry.fault for entry in server.ledger]
