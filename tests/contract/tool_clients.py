"""SDKs that offer a tool to a chaos server, and say which calls their callers get.

The server's model calls ``forecast`` for Rome and three days. A caller reads the arguments as its
SDK's users do: ``json.loads`` where they are a text, as they are where they are an object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import anthropic
import httpx
import httpx2
import ollama
import openai
from google import genai
from google.genai import errors, types

from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.replies import RecordedCall, RecordedReply, Replies
from tests.contract.clients import OF_A_BAD_BODY, TEXT, Ask, Outcome, pool, refused

__all__ = ["CALLING", "CHAT_TOOLS", "TOOL_CLIENTS", "TOOL_STREAM_CLIENTS"]

_CALL = RecordedCall(name="forecast", arguments='{"city": "Rome", "days": 3}')
#: A server whose model calls the tool, whoever asks.
CALLING = FaultPlan(
    replies=Replies(mode="recorded", entries=(RecordedReply(text="ok", tool_calls=(_CALL,)),))
)

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
_FUNCTION: dict[str, Any] = {"name": "forecast", "parameters": _SCHEMA}
#: The tool as chat completions offer it.
CHAT_TOOLS: list[Any] = [{"type": "function", "function": _FUNCTION}]
_ITEM_TOOLS: list[Any] = [{"type": "function", "strict": False, **_FUNCTION}]
_CLAUDE_TOOLS: list[Any] = [{"name": "forecast", "input_schema": _SCHEMA}]
_GEMINI_TOOLS: dict[str, Any] = {
    "tools": [{"function_declarations": [{"name": "forecast", "parameters_json_schema": _SCHEMA}]}],
    "automatic_function_calling": {"disable": True},
}
_MESSAGES: list[Any] = [{"role": "user", "content": TEXT}]

Found = Sequence[tuple[str | None, Any]]  # each call's tool, and what it passes


def _said(calls: Found, why: object) -> Outcome:
    """What the caller got: the calls in its hands, and the reason that it was told."""
    written = [f"{name} {json.dumps(passed)}" for name, passed in calls]
    return Outcome(ended="whole", status=200, delivered=f"{'; '.join(written)} [{why}]".encode())


def _openai(host: str, port: int, patience_s: float) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=f"http://{host}:{port}/v1",
        api_key="k",
        max_retries=0,
        http_client=pool(httpx, patience_s),
    )


async def ask_openai(host: str, port: int, patience_s: float) -> Outcome:
    """The openai SDK's chat completions."""
    async with _openai(host, port, patience_s) as client:
        try:
            said = await client.chat.completions.create(
                model="m", messages=_MESSAGES, tools=CHAT_TOOLS
            )
            functions = [call.function for call in said.choices[0].message.tool_calls or []]  # type: ignore[union-attr]
            calls = [(each.name, json.loads(each.arguments)) for each in functions]
        except (openai.OpenAIError, *OF_A_BAD_BODY) as error:
            return refused(error)
        return _said(calls, said.choices[0].finish_reason)


async def stream_openai(host: str, port: int, patience_s: float) -> Outcome:
    """The openai SDK's stream of a chat completion, put together by its own helper."""
    async with _openai(host, port, patience_s) as client:
        try:
            async with client.chat.completions.stream(
                model="m", messages=_MESSAGES, tools=CHAT_TOOLS
            ) as stream:
                said = await stream.get_final_completion()
            functions = [call.function for call in said.choices[0].message.tool_calls or []]
            calls = [(each.name, json.loads(each.arguments)) for each in functions]
        except (openai.OpenAIError, *OF_A_BAD_BODY) as error:
            return refused(error)
        return _said(calls, said.choices[0].finish_reason)


async def ask_responses(host: str, port: int, patience_s: float) -> Outcome:
    """The openai SDK's responses."""
    async with _openai(host, port, patience_s) as client:
        try:
            said = await client.responses.create(model="m", input=TEXT, tools=_ITEM_TOOLS)
            items = [item for item in said.output if item.type == "function_call"]
            calls = [(item.name, json.loads(item.arguments)) for item in items]
        except (openai.OpenAIError, *OF_A_BAD_BODY) as error:
            return refused(error)
        return _said(calls, said.status)


async def stream_responses(host: str, port: int, patience_s: float) -> Outcome:
    """The openai SDK's stream of a response, put together by its own helper."""
    async with _openai(host, port, patience_s) as client:
        try:
            async with client.responses.stream(model="m", input=TEXT, tools=_ITEM_TOOLS) as stream:
                said = await stream.get_final_response()
            items = [item for item in said.output if item.type == "function_call"]
            calls = [(item.name, json.loads(item.arguments)) for item in items]
        except (openai.OpenAIError, RuntimeError, *OF_A_BAD_BODY) as error:
            return refused(error)
        return _said(calls, said.status)


def _anthropic(host: str, port: int, patience_s: float) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(
        base_url=f"http://{host}:{port}",
        api_key="k",
        max_retries=0,
        http_client=pool(httpx2, patience_s),
    )


async def ask_anthropic(host: str, port: int, patience_s: float) -> Outcome:
    """The anthropic SDK's messages."""
    async with _anthropic(host, port, patience_s) as client:
        try:
            said = await client.messages.create(
                model="claude-haiku-4-5", max_tokens=99, messages=_MESSAGES, tools=_CLAUDE_TOOLS
            )
        except (anthropic.AnthropicError, *OF_A_BAD_BODY) as error:
            return refused(error)
    calls = [(block.name, block.input) for block in said.content if block.type == "tool_use"]
    return _said(calls, said.stop_reason)


async def stream_anthropic(host: str, port: int, patience_s: float) -> Outcome:
    """The anthropic SDK's stream, put together by its own helper."""
    async with _anthropic(host, port, patience_s) as client:
        try:
            async with client.messages.stream(
                model="claude-haiku-4-5", max_tokens=99, messages=_MESSAGES, tools=_CLAUDE_TOOLS
            ) as stream:
                said = await stream.get_final_message()
        except (anthropic.AnthropicError, *OF_A_BAD_BODY) as error:
            return refused(error)
    calls = [(block.name, block.input) for block in said.content if block.type == "tool_use"]
    return _said(calls, said.stop_reason)


def _gemini(host: str, port: int, http: httpx.AsyncClient) -> Any:
    options = types.HttpOptions(base_url=f"http://{host}:{port}", httpx_async_client=http)
    return genai.Client(api_key="k", http_options=options).aio.models


async def ask_gemini(host: str, port: int, patience_s: float) -> Outcome:
    """The google-genai SDK's generate_content."""
    async with pool(httpx, patience_s) as http:
        try:
            said = await _gemini(host, port, http).generate_content(
                model="gemini-2.5-flash", contents=TEXT, config=_GEMINI_TOOLS
            )
        except (errors.APIError, *OF_A_BAD_BODY) as error:
            return Outcome(ended=type(error).__name__)
    return _said(_function_calls(said), said.candidates[0].finish_reason.value)


async def stream_gemini(host: str, port: int, patience_s: float) -> Outcome:
    """The google-genai SDK's stream."""
    calls: list[tuple[str | None, Any]] = []
    why = None
    async with pool(httpx, patience_s) as http:
        try:
            async for said in await _gemini(host, port, http).generate_content_stream(
                model="gemini-2.5-flash", contents=TEXT, config=_GEMINI_TOOLS
            ):
                calls += _function_calls(said)
                why = said.candidates[0].finish_reason or why
        except (errors.APIError, *OF_A_BAD_BODY) as error:
            return Outcome(ended=type(error).__name__)
    return _said(calls, None if why is None else why.value)


def _function_calls(said: Any) -> list[tuple[str | None, Any]]:
    return [(call.name, call.args) for call in said.function_calls or []]


async def ask_ollama(host: str, port: int, patience_s: float) -> Outcome:
    """The ollama client's chat."""
    client = _ollama(host, port, patience_s)
    try:
        said = await client.chat(model="m", messages=_MESSAGES, tools=CHAT_TOOLS)
    except (ollama.ResponseError, *OF_A_BAD_BODY) as error:
        return Outcome(ended=type(error).__name__)
    finally:
        await client._client.aclose()
    functions = [call.function for call in said.message.tool_calls or []]
    return _said([(each.name, dict(each.arguments)) for each in functions], said.done_reason)


async def stream_ollama(host: str, port: int, patience_s: float) -> Outcome:
    """The ollama client's stream."""
    client = _ollama(host, port, patience_s)
    calls: list[tuple[str | None, Any]] = []
    why = None
    try:
        async for said in await client.chat(
            model="m", messages=_MESSAGES, tools=CHAT_TOOLS, stream=True
        ):
            functions = [call.function for call in said.message.tool_calls or []]
            calls += [(each.name, dict(each.arguments)) for each in functions]
            why = said.done_reason or why
    except (ollama.ResponseError, *OF_A_BAD_BODY) as error:
        return Outcome(ended=type(error).__name__)
    finally:
        await client._client.aclose()
    return _said(calls, why)


def _ollama(host: str, port: int, patience_s: float) -> Any:
    return ollama.AsyncClient(
        host=f"http://{host}:{port}", verify=False, trust_env=False, timeout=patience_s
    )


TOOL_CLIENTS: Mapping[str, Ask] = {
    "openai": ask_openai,
    "openai responses": ask_responses,
    "anthropic": ask_anthropic,
    "google-genai": ask_gemini,
    "ollama": ask_ollama,
}
TOOL_STREAM_CLIENTS: Mapping[str, Ask] = {
    "openai": stream_openai,
    "openai responses": stream_responses,
    "anthropic": stream_anthropic,
    "google-genai": stream_gemini,
    "ollama": stream_ollama,
}
