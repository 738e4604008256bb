"""What every endpoint says validates strictly against the types of the provider's own SDK.

The SDKs themselves never validate: they take what comes. Here pydantic does, in strict mode, so
that a number in place of a text, or a field that is missing, is a failure.
"""

from __future__ import annotations

import json
from typing import Any

import anthropic.types as claude
import anthropic.types.beta as claude_beta
import anthropic.types.messages as claude_batches
import ollama
import openai.types as gpt
import openai.types.chat as gpt_chat
import openai.types.responses as gpt_responses
import pytest
from google.genai import types as gemini
from openai.types.responses.input_token_count_response import InputTokenCountResponse
from pydantic import TypeAdapter

from tests.contract.endpoints import ENDPOINTS, Endpoint
from tests.contract.test_every_endpoint import GOOD, good_answer

_OPENAI: dict[str, Any] = {
    "/chat/completions": gpt_chat.ChatCompletion,
    "/completions": gpt.Completion,
    "/embeddings": gpt.CreateEmbeddingResponse,
    "/moderations": gpt.ModerationCreateResponse,
    "/responses": gpt_responses.Response,
    "/responses/input_tokens": InputTokenCountResponse,
    "/responses/ID": gpt_responses.Response,
    "/cancel": gpt_responses.Response,
    "/input_items": gpt_responses.ResponseItemList,
    "/batches/ID/cancel": gpt.Batch,
    "/batches": gpt.Batch,
    "/batches/ID": gpt.Batch,
    "/files": gpt.FileObject,
    "/files/ID": gpt.FileObject,
    "/models/m": gpt.Model,
}
_ANTHROPIC: dict[str, Any] = {
    "/messages": claude.Message,
    "/count_tokens": claude.MessageTokensCount,
    "/models/claude-haiku-4-5": claude.ModelInfo,
    "/messages/batches": claude_batches.MessageBatch,
    "/messages/batches/ID": claude_batches.MessageBatch,
    "/messages/batches/ID/cancel": claude_batches.MessageBatch,
    "/files": claude_beta.BetaFileMetadata,
    "/files/ID": claude_beta.BetaFileMetadata,
}
_GEMINI: dict[str, Any] = {
    ":generateContent": gemini.GenerateContentResponse,
    ":streamGenerateContent": gemini.GenerateContentResponse,
    ":countTokens": gemini.CountTokensResponse,
    ":batchEmbedContents": gemini.EmbedContentResponse,
    "/models/m": None,  # The SDK renames its fields; test_google_genai_sdk reads it.
    ":embedContent": None,  # The SDK asks for batches alone.
}
_OLLAMA: dict[str, Any] = {"/api/chat": ollama.ChatResponse, "/api/tags": ollama.ListResponse}
_WHOLE = {
    "openai": _OPENAI,
    "azure": _OPENAI,
    "openrouter": _OPENAI,
    "anthropic": _ANTHROPIC,
    "gemini": _GEMINI,
    "ollama": _OLLAMA,
}
# What a page of a list holds, by how its path ends.
_ITEMS: dict[str, dict[str, Any]] = {
    "openai": {"/batches": gpt.Batch, "/files": gpt.FileObject, "/models": gpt.Model},
    "anthropic": {
        "/batches": claude_batches.MessageBatch,
        "/files": claude_beta.BetaFileMetadata,
        "/models": claude.ModelInfo,
    },
}
_ITEMS["azure"] = _ITEMS["openai"]
_STREAMED: dict[str, Any] = {
    "/chat/completions": gpt_chat.ChatCompletionChunk,
    "/completions": gpt.Completion,
    "/responses": gpt_responses.ResponseStreamEvent,
    "/v1/messages": claude.RawMessageStreamEvent,
    ":streamGenerateContent": gemini.GenerateContentResponse,
    "/api/chat": ollama.ChatResponse,
}


def _longest(types: dict[str, Any], path: str) -> Any:
    ending = max((it for it in types if path.endswith(it)), key=len, default=None)
    assert ending is not None, f"no type is known for {path}"
    return types[ending]


def _strictly(wanted: Any, text: str | bytes) -> None:
    if wanted is not None:
        TypeAdapter(wanted).validate_json(text, strict=True)


def _lines(endpoint: Endpoint, payload: bytes) -> list[str]:
    """The JSON documents of an event, or of a line; Azure's first one names nothing at all."""
    found = []
    for line in payload.decode().splitlines():
        line = line.removeprefix("data: ")
        if line.startswith("{") and '"type":"ping"' not in line:
            found.append(line)
    return found


WHOLE = [it for it in GOOD if not good_answer(it).streamed and good_answer(it).shape is not None]
STREAMED = [endpoint for endpoint in ENDPOINTS if good_answer(endpoint).streamed]


@pytest.mark.parametrize("endpoint", WHOLE, ids=lambda each: each.name)
def test_a_whole_answer_is_of_its_type(endpoint: Endpoint) -> None:
    """Objects, lists of them, and what is left of one that was deleted."""
    path, provider = endpoint.requests[-1].target.partition("?")[0], endpoint.place.provider.name
    body = good_answer(endpoint).body
    if endpoint.place.method == "DELETE":
        assert json.loads(body)["id"]
        return
    types = _ITEMS.get(provider, {})
    if endpoint.place.method == "GET" and (path.endswith(tuple(types)) if types else False):
        for item in json.loads(body)["data"]:
            _strictly(_longest(types, path), json.dumps(item))
    elif not path.endswith("/models"):
        _strictly(_longest(_WHOLE[provider], path), body)


@pytest.mark.parametrize("endpoint", STREAMED, ids=lambda each: each.name)
def test_every_event_is_of_its_type(endpoint: Endpoint) -> None:
    """Each data line of a stream, from the first to the last."""
    path = endpoint.requests[-1].target.partition("?")[0]
    wanted = _longest(_STREAMED, path)

    said = [
        line
        for event in good_answer(endpoint).events
        for line in _lines(endpoint, event.payload)
        if '"object":""' not in line
    ]
    assert len(said) >= 4
    for line in said:
        if wanted is gpt.Completion:
            # One type serves whole answers and chunks, whose reason is null until the last one.
            line = line.replace('"finish_reason":null', '"finish_reason":"stop"')
        _strictly(wanted, line)
