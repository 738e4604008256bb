"""Aimed faults through unmodified SDKs: only the provider, model and path that are meant fail."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest

from chaoscheck.server.threaded import ThreadedServer

MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]

AIMS = [
    {"provider": "anthropic", "model": "claude-*", "rates": {"status_529": 1.0}},
    {"model": "gpt-4o*", "path": "/v1/chat/*", "rates": {"status_429": 1.0}},
    {"provider": "azure", "model": "down", "rates": {"truncated_json": 1.0}},
    {"provider": "gemini", "rates": {"status_500": 1.0}},
]


@pytest.mark.chaos(aimed=AIMS)
def test_only_what_is_aimed_at_fails(chaos_server_env: ThreadedServer) -> None:
    """Other models, paths and providers are answered well, and an aim that no request fits is
    never counted as injected.

    Slow (0.4 s): three clients, each with a CA bundle.
    """
    with (
        anthropic.Anthropic(max_retries=0) as claude,
        openai.OpenAI(max_retries=0) as gpt,
        openai.AzureOpenAI(max_retries=0) as azure,
    ):

        def chat(client: Any, model: str) -> int:
            try:
                client.chat.completions.create(model=model, messages=MESSAGES)
            except openai.APIStatusError as error:
                return error.status_code
            except ValueError:
                return -1
            return 200

        def message(model: str) -> int:
            try:
                claude.messages.create(model=model, max_tokens=9, messages=MESSAGES)
            except anthropic.APIStatusError as error:
                return error.status_code
            return 200

        assert [529, 200] == [message("claude-x"), message("other")]
        assert [429, 429, 200] == [chat(gpt, model) for model in ("gpt-4o", "gpt-4o-mini", "o1")]
        assert gpt.embeddings.create(model="gpt-4o", input="hello").data
        assert [-1, 200] == [chat(azure, "down"), chat(azure, "up")]

    expected = {"status_529": 1, "status_429": 2, "truncated_json": 1}
    assert expected == chaos_server_env.injected == chaos_server_env.hits
