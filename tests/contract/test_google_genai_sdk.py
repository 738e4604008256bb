"""The unmodified google-genai SDK finds Gemini's API, sync and async."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from chaoscheck.plan.fault import Fault
from chaoscheck.plan.faults.close_mid_body import CloseMidBody
from chaoscheck.plan.faults.content_filter import ContentFilter
from chaoscheck.plan.faults.context_length import ContextLength
from chaoscheck.plan.faults.error_event_after_content import ErrorEventAfterContent
from chaoscheck.plan.faults.invalid_json import InvalidJson
from chaoscheck.plan.faults.missing_done import MissingDone
from chaoscheck.plan.faults.no_usage import NoUsage
from chaoscheck.plan.faults.status_429 import Status429
from chaoscheck.plan.faults.status_503 import Status503
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.threaded import ThreadedServer
from chaoscheck.world.virtual import VirtualWorld
from tests.contract.sdk_clients import collected, result
from tests.contract.worlds import HOST, serve

T = TypeVar("T")
Scene = Callable[[Any], Awaitable[T]]

TEXT = "größer ist\nnot  better 日本"
WORDS = len(TEXT.split())
MODEL = "gemini-2.5-flash"
WEATHER = {
    "name": "weather",
    "parameters": {
        "type": "OBJECT",
        "properties": {"place": {"type": "STRING"}, "days": {"type": "INTEGER", "minimum": 2}},
        "required": ["place", "days"],
    },
}
FORCED = {
    "tools": [{"function_declarations": [WEATHER]}],
    "tool_config": {"function_calling_config": {"mode": "ANY"}},
}

# The SDK leaves the generator of a stream to the collector, on which trio remarks.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")


class Place(BaseModel):
    """What a structured answer is parsed into."""

    city: str
    inhabitants: int


def play_async(scene: Scene[T], *faults: Fault) -> T:
    """The async client in a virtual world, whose server meets these faults first."""
    server = ChaosServer()

    async def main() -> T:
        pool = httpx.AsyncClient(verify=False, trust_env=False, timeout=5.0)
        async with pool:
            options = types.HttpOptions(base_url=f"http://{HOST}", httpx_async_client=pool)
            return await scene(genai.Client(api_key="k", http_options=options).aio)

    with VirtualWorld() as world:
        serve(world, server)
        for fault in faults:
            server.next_fault(fault)
        return world.run(main)


def play_sync(scene: Scene[T], *faults: Fault) -> T:
    """The sync client over TCP."""
    pool = httpx.Client(verify=False, trust_env=False, timeout=5.0)
    with ThreadedServer() as server, pool:
        for fault in faults:
            server.next_fault(fault)
        options = types.HttpOptions(base_url=server.url, httpx_client=pool)
        try:
            scene(genai.Client(api_key="k", http_options=options)).__await__().send(None)
        except StopIteration as finished:
            played: T = finished.value
            return played
    raise AssertionError("a scene with a sync client has nothing to wait for")


of_every_client = pytest.mark.parametrize("play", [play_sync, play_async])


@of_every_client
def test_what_i_said_comes_back(play: Any) -> None:
    """Text, reason and counts arrive in the SDK's own types."""

    async def scene(sdk: Any) -> Any:
        config = {"system_instruction": "be kind", "temperature": 0.5}
        return await result(sdk.models.generate_content(model=MODEL, contents=TEXT, config=config))

    said = play(scene)

    assert (TEXT, MODEL) == (said.text, said.model_version)
    assert types.FinishReason.STOP == said.candidates[0].finish_reason
    usage = said.usage_metadata
    assert (WORDS + 2, WORDS) == (usage.prompt_token_count, usage.candidates_token_count)


@of_every_client
def test_a_stream_is_the_same_text(play: Any) -> None:
    """Piece by piece, with the reason and the counts at the end."""

    async def scene(sdk: Any) -> list[Any]:
        stream = sdk.models.generate_content_stream(model=MODEL, contents=TEXT)
        return await collected(await result(stream))

    chunks = play(scene)

    assert (TEXT, WORDS + 1) == ("".join([chunk.text or "" for chunk in chunks]), len(chunks))
    assert types.FinishReason.STOP == chunks[-1].candidates[0].finish_reason
    assert WORDS == chunks[-1].usage_metadata.candidates_token_count


@of_every_client
def test_a_conversation_goes_on(play: Any) -> None:
    """The SDK's own chat keeps the history."""

    async def scene(sdk: Any) -> tuple[Any, Any]:
        chat = sdk.chats.create(model=MODEL)
        first = await result(chat.send_message("one two"))
        return first, await result(chat.send_message("three"))

    first, second = play(scene)

    assert ("one two", "three") == (first.text, second.text)
    assert (2, 5) == (
        first.usage_metadata.prompt_token_count,
        second.usage_metadata.prompt_token_count,
    )


@of_every_client
def test_a_demanded_function_is_called(play: Any) -> None:
    """Its arguments fit the schema, whole and streamed."""

    async def scene(sdk: Any) -> tuple[Any, list[Any]]:
        asked = {"model": MODEL, "contents": TEXT, "config": FORCED}
        whole = await result(sdk.models.generate_content(**asked))
        stream = await result(sdk.models.generate_content_stream(**asked))
        return whole, await collected(stream)

    whole, chunks = play(scene)

    for said in (whole, chunks[0]):
        (call,) = said.function_calls
        assert ("weather", {"place": TEXT, "days": 2}) == (call.name, call.args)


@of_every_client
def test_a_structured_answer_parses(play: Any) -> None:
    """One object of a pydantic model, a list of them, and a schema of JSON's own."""

    async def scene(sdk: Any) -> list[Any]:
        answers = []
        for schema in (
            {"response_schema": Place},
            {"response_schema": list[Place]},
            {"response_json_schema": Place.model_json_schema()},
        ):
            config = {"response_mime_type": "application/json", **schema}
            answers.append(
                await result(sdk.models.generate_content(model=MODEL, contents=TEXT, config=config))
            )
        return answers

    one, many, standard = play(scene)

    place = Place(city=TEXT, inhabitants=0)
    assert (place, []) == (one.parsed, many.parsed)
    assert place == Place.model_validate_json(standard.text)


@of_every_client
def test_thoughts_likelihoods_and_candidates_come_as_asked(play: Any) -> None:
    """A thought before the text, the likeliest tokens, as many candidates as I want."""

    async def scene(sdk: Any) -> Any:
        config = {
            "thinking_config": {"include_thoughts": True},
            "candidate_count": 2,
            "response_logprobs": True,
            "logprobs": 2,
            "max_output_tokens": 2,
        }
        return await result(sdk.models.generate_content(model=MODEL, contents=TEXT, config=config))

    said = play(scene)

    assert 2 == len(said.candidates)
    for candidate in said.candidates:
        thought, part = candidate.content.parts
        assert (True, "größer ist") == (thought.thought, part.text)
        assert types.FinishReason.MAX_TOKENS == candidate.finish_reason
        likely = candidate.logprobs_result
        assert ["größer ", "ist"] == [it.token for it in likely.chosen_candidates]
        assert [2, 2] == [len(it.candidates) for it in likely.top_candidates]
    assert said.usage_metadata.thoughts_token_count > 0


@of_every_client
def test_embeddings_are_unit_vectors(play: Any) -> None:
    """As many as contents, of the dimensions that I ask for."""

    async def scene(sdk: Any) -> Any:
        return await result(
            sdk.models.embed_content(
                model="gemini-embedding-001",
                contents=["a", "b"],
                config={"output_dimensionality": 64},
            )
        )

    first, second = (each.values for each in play(scene).embeddings)
    assert first != second
    assert (64, 64) == (len(first), len(second))
    assert math.isclose(1.0, math.hypot(*first), rel_tol=1e-5)


@of_every_client
def test_tokens_are_counted_and_models_listed(play: Any) -> None:
    """The counts are those of the usage; any well-formed model is found."""

    async def scene(sdk: Any) -> tuple[Any, Any, list[Any]]:
        counted = await result(sdk.models.count_tokens(model=MODEL, contents=TEXT))
        own = await result(sdk.models.get(model="my-own"))
        return counted, own, await collected(await result(sdk.models.list()))

    counted, own, models = play(scene)

    assert (WORDS, "models/my-own") == (counted.total_tokens, own.name)
    assert f"models/{MODEL}" in [model.name for model in models]


@of_every_client
@pytest.mark.parametrize(
    ("fault", "kind", "status"),
    [
        (Status429(), errors.ClientError, "RESOURCE_EXHAUSTED"),
        (Status503(), errors.ServerError, "UNAVAILABLE"),
        (ContentFilter(), errors.ClientError, "INVALID_ARGUMENT"),
        (ContextLength(), errors.ClientError, "INVALID_ARGUMENT"),
    ],
)
def test_an_error_is_the_sdks_own(play: Any, fault: Fault, kind: Any, status: str) -> None:
    """With Google's status beside HTTP's."""

    async def scene(sdk: Any) -> Any:
        with pytest.raises(kind) as caught:
            await result(sdk.models.generate_content(model=MODEL, contents=TEXT))
        return caught.value

    error = play(scene, fault)

    assert (status, True) == (error.status, bool(error.message))


@of_every_client
def test_an_error_in_a_stream_is_raised(play: Any) -> None:
    """After the text that came before it."""

    async def scene(sdk: Any) -> tuple[list[Any], Any]:
        chunks: list[Any] = []
        stream = await result(sdk.models.generate_content_stream(model=MODEL, contents=TEXT))
        with pytest.raises(errors.ServerError) as caught:
            if hasattr(stream, "__aiter__"):
                async for chunk in stream:
                    chunks.append(chunk)  # noqa: PERF401
            else:
                chunks.extend(stream)
        return chunks, caught.value

    chunks, error = play(scene, ErrorEventAfterContent(after_chunks=2))

    assert "INTERNAL" == error.status
    assert len(chunks) <= 2


@of_every_client
def test_what_a_stream_leaves_out_is_missing(play: Any) -> None:
    """Without its end there is no reason, and without usage no count."""

    async def scene(sdk: Any) -> list[list[Any]]:
        streams = []
        for _ in range(2):
            asked = {"model": MODEL, "contents": TEXT}
            stream = await result(sdk.models.generate_content_stream(**asked))
            streams.append(await collected(stream))
        return streams

    endless, uncounted = play(scene, MissingDone(), NoUsage())

    assert [None] * WORDS == [chunk.candidates[0].finish_reason for chunk in endless]
    assert {None} == {chunk.usage_metadata for chunk in uncounted}
    assert TEXT == "".join([chunk.text or "" for chunk in uncounted])


@of_every_client
@pytest.mark.parametrize("fault", [InvalidJson(), CloseMidBody()])
def test_a_broken_body_is_an_error(play: Any, fault: Fault) -> None:
    """Neither half a body nor what is no JSON passes for an answer."""

    async def scene(sdk: Any) -> None:
        with pytest.raises((errors.APIError, ValueError, httpx.HTTPError)):
            await result(sdk.models.generate_content(model=MODEL, contents=TEXT))

    play(scene, fault)
