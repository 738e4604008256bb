"""The unmodified openai SDK finds all of its APIs, sync and async, OpenAI's and Azure's."""

from __future__ import annotations

import json
import math
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from chaoscheck.plan.faults.error_event_after_content import ErrorEventAfterContent
from chaoscheck.server.apis.chat.answer import answer_openrouter_chat
from tests.contract.sdk_clients import SDK_CLIENTS, SdkClient, collected, entered, result
from tests.unit.server.apis.calls import ask, chat

TEXT = "hello there,\n wörld"
MESSAGES = [{"role": "user", "content": TEXT}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": CITY}}]
FUNCTIONS = [{"type": "function", "name": "weather", "parameters": CITY, "strict": True}]

# The SDK leaves the generator of a finished stream to the collector, on which trio remarks.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'openai\\.:ResourceWarning")

of_every_client = pytest.mark.parametrize("client", SDK_CLIENTS, ids=lambda each: each.name)


class Place(BaseModel):
    """What a structured answer is parsed into."""

    city: str
    inhabitants: int


@of_every_client
def test_a_chat_is_echoed(client: SdkClient) -> None:
    """Text, finish reason and usage arrive in the SDK's own types."""

    async def scene(sdk: Any) -> Any:
        return await result(sdk.chat.completions.create(model="m", messages=MESSAGES))

    said = client.play(scene)

    (choice,) = said.choices
    assert (TEXT, "stop") == (choice.message.content, choice.finish_reason)
    assert ("m", 3, 6) == (said.model, said.usage.completion_tokens, said.usage.total_tokens)
    assert "req_000001" == said._request_id


@of_every_client
def test_a_streamed_chat_is_the_same_text(client: SdkClient) -> None:
    """Chunk by chunk, with the usage that I asked for at the end."""

    async def scene(sdk: Any) -> list[Any]:
        stream = sdk.chat.completions.create(
            model="m",
            messages=MESSAGES,
            stream=True,
            stream_options={"include_usage": True},
        )
        return await collected(await result(stream))

    chunks = client.play(scene)

    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert TEXT == "".join([choice.delta.content or "" for choice in choices])
    assert ("stop", 6) == (choices[-1].finish_reason, chunks[-1].usage.total_tokens)


@of_every_client
def test_the_stream_helper_gathers_a_completion(client: SdkClient) -> None:
    """The SDK's own bookkeeping of a stream ends with the whole."""

    async def scene(sdk: Any) -> tuple[list[Any], Any]:
        manager = sdk.chat.completions.stream(model="m", messages=MESSAGES)
        async with entered(manager) as stream:
            events = await collected(stream)
            return events, await result(stream.get_final_completion())

    events, whole = client.play(scene)

    assert ["hello ", "there,\n ", "wörld"] == [
        event.delta for event in events if event.type == "content.delta" and event.delta
    ]
    assert (TEXT, "stop") == (whole.choices[0].message.content, whole.choices[0].finish_reason)


@of_every_client
def test_a_demanded_tool_is_called(client: SdkClient) -> None:
    """Whole and streamed, the arguments fit the schema."""

    async def scene(sdk: Any) -> tuple[Any, Any]:
        asked = {"model": "m", "messages": MESSAGES, "tools": TOOLS, "tool_choice": "required"}
        whole = await result(sdk.chat.completions.create(**asked))
        async with entered(sdk.chat.completions.stream(**asked)) as stream:
            await collected(stream)
            return whole, await result(stream.get_final_completion())

    for said in client.play(scene):
        (choice,) = said.choices
        (call,) = choice.message.tool_calls
        assert ("tool_calls", "weather") == (choice.finish_reason, call.function.name)
        assert {"city": TEXT} == json.loads(call.function.arguments)


@of_every_client
def test_a_structured_answer_parses(client: SdkClient) -> None:
    """response_format with a pydantic model, in a chat and in a response."""

    async def scene(sdk: Any) -> tuple[Any, Any]:
        chat = sdk.chat.completions.parse(model="m", messages=MESSAGES, response_format=Place)
        response = sdk.responses.parse(model="m", input=TEXT, text_format=Place)
        return await result(chat), await result(response)

    chat, response = client.play(scene)

    place = Place(city=TEXT, inhabitants=0)
    assert (place, place) == (chat.choices[0].message.parsed, response.output_parsed)


@of_every_client
def test_a_response_is_echoed(client: SdkClient) -> None:
    """The Responses API, with instructions and a list of items."""

    async def scene(sdk: Any) -> Any:
        return await result(
            sdk.responses.create(
                model="m", instructions="be brief", input=MESSAGES, max_output_tokens=2
            )
        )

    said = client.play(scene)

    assert ("hello there,", "incomplete") == (said.output_text, said.status)
    assert ("max_output_tokens", 5) == (said.incomplete_details.reason, said.usage.input_tokens)


@of_every_client
def test_a_streamed_response_is_gathered(client: SdkClient) -> None:
    """The SDK's bookkeeping takes every event in its order."""

    async def scene(sdk: Any) -> tuple[list[Any], Any]:
        async with entered(sdk.responses.stream(model="m", input=TEXT)) as stream:
            events = await collected(stream)
            return events, await result(stream.get_final_response())

    events, whole = client.play(scene)

    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert (TEXT, TEXT) == ("".join(deltas), whole.output_text)
    assert ("response.created", "response.completed") == (events[0].type, events[-1].type)
    assert list(range(len(events))) == [event.sequence_number for event in events]


@of_every_client
def test_a_response_calls_a_function(client: SdkClient) -> None:
    """Whole and streamed."""

    async def scene(sdk: Any) -> tuple[Any, Any]:
        asked = {"model": "m", "input": "x", "tools": FUNCTIONS, "tool_choice": "required"}
        whole = await result(sdk.responses.create(**asked))
        stream = await collected(await result(sdk.responses.create(stream=True, **asked)))
        return whole, stream[-1].response

    for said in client.play(scene):
        (call,) = said.output
        assert ("function_call", "weather", '{"city":"x"}') == (
            call.type,
            call.name,
            call.arguments,
        )


@of_every_client
def test_embeddings_are_unit_vectors(client: SdkClient) -> None:
    """The SDK asks for base64 unless told otherwise; both give the same numbers."""

    async def scene(sdk: Any) -> tuple[Any, Any]:
        model = "text-embedding-3-small"
        packed = sdk.embeddings.create(model=model, input=["a", "b"])
        plain = sdk.embeddings.create(model=model, input="a", encoding_format="float")
        return await result(packed), await result(plain)

    packed, plain = client.play(scene)

    first, second = (each.embedding for each in packed.data)
    assert first == pytest.approx(plain.data[0].embedding)
    assert first != second
    assert (1536, 2) == (len(first), packed.usage.prompt_tokens)
    assert math.isclose(1.0, math.hypot(*first), rel_tol=1e-5)


@of_every_client
def test_models_are_listed_and_found(client: SdkClient) -> None:
    """A list to iterate over, and any model by its name."""

    async def scene(sdk: Any) -> tuple[Any, Any]:
        listed = await collected(await result(sdk.models.list()))
        return listed, await result(sdk.models.retrieve("my-own"))

    listed, own = client.play(scene)

    assert {"gpt-4o", "text-embedding-3-small"} <= {model.id for model in listed}
    assert "my-own" == own.id


BAD: list[tuple[str, dict[str, Any]]] = [
    ("chat.completions", {"model": "m", "messages": []}),
    ("chat.completions", {"model": "m", "messages": MESSAGES, "temperature": 3}),
    ("chat.completions", {"model": "m", "messages": MESSAGES, "n": 0, "stream": True}),
    ("responses", {"model": "m", "input": [{"role": "king", "content": "x"}]}),
    ("embeddings", {"model": "m", "input": ""}),
]


@of_every_client
def test_a_bad_request_raises_the_sdks_own_error(client: SdkClient) -> None:
    """BadRequestError with the provider's message, also where a stream was asked for."""

    async def scene(sdk: Any) -> list[openai.BadRequestError]:
        errors = []
        for api, asked in BAD:
            target = sdk
            for name in api.split("."):
                target = getattr(target, name)
            with pytest.raises(openai.BadRequestError) as caught:
                await result(target.create(**asked))
            errors.append(caught.value)
        return errors

    errors = client.play(scene)

    assert [400] * len(BAD) == [error.status_code for error in errors]
    assert all(isinstance(error.body, dict) and error.body["message"] for error in errors)
    # Azure's error has no param.
    params = ["messages", "temperature", "n", "input[0].role", "input"]
    assert client.azure or params == [error.param for error in errors]


@of_every_client
def test_what_is_not_there_is_not_found(client: SdkClient) -> None:
    """An API that the server does not offer is NotFoundError."""

    async def scene(sdk: Any) -> None:
        with pytest.raises(openai.NotFoundError):
            await result(sdk.fine_tuning.jobs.list())

    client.play(scene)


@of_every_client
def test_headers_reach_whoever_asks_for_the_raw_answer(client: SdkClient) -> None:
    """The raw response names its request and parses to the same completion."""

    async def scene(sdk: Any) -> tuple[Any, Any]:
        raw = await result(
            sdk.chat.completions.with_raw_response.create(model="m", messages=MESSAGES)
        )
        return raw.headers, raw.parse()

    headers, parsed = client.play(scene)

    assert ("req_000001", "application/json") == (headers["x-request-id"], headers["content-type"])
    assert TEXT == parsed.choices[0].message.content


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("version", ["/api/v1", "/openai/v1"])
def test_other_providers_are_a_base_url_away(version: str, streamed: bool) -> None:
    """OpenRouter, and Azure's API without versions, through the plain client."""

    async def scene(sdk: Any) -> str:
        there = sdk.with_options(base_url=str(sdk.base_url).replace("/v1/", version))
        said = await there.chat.completions.create(model="m", messages=MESSAGES, stream=streamed)
        if not streamed:
            return str(said.choices[0].message.content)
        choices = [choice for chunk in await collected(said) for choice in chunk.choices]
        return "".join([choice.delta.content or "" for choice in choices])

    assert TEXT == SDK_CLIENTS[1].play(scene)


def test_openrouter_says_an_error_in_a_chunk_of_its_own() -> None:
    """With a finish reason beside the error, as OpenRouter documents it."""
    answer, _ = ask(answer_openrouter_chat, chat(stream=True))
    struck = ErrorEventAfterContent(after_chunks=1).on_answer(answer)
    last = json.loads(struck.events[-1].payload.removeprefix(b"data: "))

    assert ("error", "gen-000007", 502) == (
        last["choices"][0]["finish_reason"],
        last["id"],
        last["error"]["code"],
    )
