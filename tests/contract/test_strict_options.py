"""Answers to requests that ask for more than a text are of their SDK's types, strictly."""

from __future__ import annotations

import json
from typing import Any

import anthropic.types as claude
import ollama
import openai.types as gpt
import openai.types.chat as gpt_chat
import openai.types.responses as gpt_responses
import pytest
from google.genai import types as gemini
from pydantic import TypeAdapter

from chaoscheck.server.apis.call import Call
from chaoscheck.server.apis.routes import path_of, route
from chaoscheck.server.apis.speaker import Echo
from chaoscheck.server.apis.store import Store

TEXT = "one two three"
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
MESSAGES = [{"role": "user", "content": TEXT}]
FUNCTION = {"name": "f", "parameters": SCHEMA}
FLAT = {"type": "function", **FUNCTION}
CUSTOM = {"type": "custom", "name": "c"}
JSON_SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
FLAT_SCHEMA = {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}
CLAUDE = {"model": "m", "max_tokens": 2000, "messages": MESSAGES}
CLAUDE_TOOL = {"name": "f", "input_schema": SCHEMA}
CONTENTS = {"contents": [{"parts": [{"text": TEXT}]}]}
DECLARED = {"functionDeclarations": [{"name": "f", "parametersJsonSchema": SCHEMA}]}
ANY = {"functionCallingConfig": {"mode": "ANY"}}
JSON_TYPE = {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}
LIKELY = {"responseLogprobs": True, "logprobs": 3}

CHAT: list[dict[str, Any]] = [
    {"logprobs": True, "top_logprobs": 3, "n": 2},
    {"tools": [{"type": "function", "function": FUNCTION}], "tool_choice": "required"},
    {"functions": [FUNCTION], "function_call": {"name": "f"}},
    {"response_format": JSON_SCHEMA},
    {"service_tier": "auto", "max_tokens": 1},
]
RESPONSES: list[dict[str, Any]] = [
    {"include": ["message.output_text.logprobs"], "top_logprobs": 3},
    {"tools": [FLAT], "tool_choice": "required"},
    {"tools": [CUSTOM], "tool_choice": "required"},
    {"tools": [{"type": "web_search"}], "tool_choice": "auto"},
    {"text": FLAT_SCHEMA, "max_output_tokens": 1},
    {"background": True},
]
MESSAGE: list[dict[str, Any]] = [
    {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    {"thinking": {"type": "adaptive", "display": "omitted"}},
    {"tools": [CLAUDE_TOOL], "tool_choice": {"type": "any"}},
    {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    {"stop_sequences": ["two"]},
]
GEMINI: list[dict[str, Any]] = [
    {"generationConfig": {**LIKELY, "thinkingConfig": {"includeThoughts": True}}},
    {"generationConfig": {**JSON_TYPE, "candidateCount": 2}},
    {"tools": [DECLARED], "toolConfig": ANY},
]
OLLAMA: list[dict[str, Any]] = [
    {"logprobs": True, "top_logprobs": 2, "think": True},
    {"format": SCHEMA, "options": {"num_predict": 1}},
    {"messages": []},
]


def _cases() -> list[tuple[str, dict[str, Any], Any]]:
    cases: list[tuple[str, dict[str, Any], Any]] = []
    for more in CHAT:
        asked = {"model": "m", "messages": MESSAGES, **more}
        cases.append(("/v1/chat/completions", asked, gpt_chat.ChatCompletion))
        streamed = {**asked, "stream": True, "stream_options": {"include_usage": True}}
        cases.append(("/v1/chat/completions", streamed, gpt_chat.ChatCompletionChunk))
    for more in RESPONSES:
        asked = {"model": "m", "input": TEXT, **more}
        cases.append(("/v1/responses", asked, gpt_responses.Response))
        streamed = {**asked, "stream": True}
        cases.append(("/v1/responses", streamed, gpt_responses.ResponseStreamEvent))
    for more in MESSAGE:
        cases.append(("/v1/messages", {**CLAUDE, **more}, claude.Message))
        streamed = {**CLAUDE, **more, "stream": True}
        cases.append(("/v1/messages", streamed, claude.RawMessageStreamEvent))
    for more in GEMINI:
        for method in ("generateContent", "streamGenerateContent?alt=sse"):
            path = f"/v1beta/models/m:{method}"
            cases.append((path, {**CONTENTS, **more}, gemini.GenerateContentResponse))
    for more in OLLAMA:
        asked = {"model": "m", "messages": MESSAGES, **more}
        cases.append(("/api/chat", asked, ollama.ChatResponse))
        cases.append(("/api/chat", {**asked, "stream": False}, ollama.ChatResponse))
    asked = {"model": "m", "prompt": TEXT, "logprobs": 3, "echo": True, "n": 2}
    cases.append(("/v1/completions", asked, gpt.Completion))
    return cases


def _documents(target: str, asked: dict[str, Any]) -> list[str]:
    found = route("POST", target, path_of(target))
    call = Call(
        body=json.dumps(asked).encode(),
        headers={},
        number=7,
        created_s=1_700_000_000,
        key="k",
        attempt=1,
        speaker=Echo(),
        model=found.model,
        query=target.partition("?")[2],
        store=Store(),
    )
    answer, _ = found.api(call)
    assert (200, None) == (answer.status, answer.error)
    if not answer.streamed:
        return [answer.body.decode()]
    lines = [line for event in answer.events for line in event.payload.decode().splitlines()]
    said = [line.removeprefix("data: ") for line in lines]
    return [line for line in said if line[:1] == "{" and '"type":"ping"' not in line]


@pytest.mark.parametrize(("target", "asked", "wanted"), _cases())
def test_what_is_asked_for_comes_in_its_type(
    target: str, asked: dict[str, Any], wanted: Any
) -> None:
    """Likelihoods, calls, formats and thoughts, whole and streamed."""
    for document in _documents(target, asked):
        TypeAdapter(wanted).validate_json(document, strict=True)
