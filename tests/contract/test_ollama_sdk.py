"""The unmodified ollama client finds its chat, sync over TCP and async in a virtual world."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import ollama
import pytest
from pydantic import BaseModel

from chaoscheck.plan.fault import Fault
from chaoscheck.plan.faults.error_event_after_content import ErrorEventAfterContent
from chaoscheck.plan.faults.missing_done import MissingDone
from chaoscheck.plan.faults.no_usage import NoUsage
from chaoscheck.plan.faults.status_404 import Status404
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
ASKED: dict[str, Any] = {"model": "llama3.2", "messages": [{"role": "user", "content": TEXT}]}

pytestmark = pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")


class Place(BaseModel):
    """What a structured answer is parsed into."""

    city: str
    inhabitants: int


def play_async(scene: Scene[T], *faults: Fault) -> T:
    """The async client, whose server meets these faults first."""
    server = ChaosServer()

    async def main() -> T:
        client = ollama.AsyncClient(host=f"http://{HOST}", verify=False, trust_env=False)
        try:
            return await scene(client)
        finally:
            await client._client.aclose()

    with VirtualWorld() as world:
        serve(world, server)
        for fault in faults:
            server.next_fault(fault)
        return world.run(main)


def play_sync(scene: Scene[T], *faults: Fault) -> T:
    """The sync client."""
    with ThreadedServer() as server:
        for fault in faults:
            server.next_fault(fault)
        client = ollama.Client(host=server.url, verify=False, trust_env=False)
        try:
            scene(client).__await__().send(None)
        except StopIteration as finished:
            played: T = finished.value
            return played
        finally:
            client._client.close()
    raise AssertionError("a scene with a sync client has nothing to wait for")


of_every_client = pytest.mark.parametrize("play", [play_sync, play_async])


@of_every_client
def test_what_i_said_comes_back(play: Any) -> None:
    """Whole, with reason and counts, in the client's own types."""

    async def scene(client: Any) -> Any:
        return await result(client.chat(**ASKED))

    said = play(scene)

    assert (TEXT, "stop", True) == (said.message.content, said.done_reason, said.done)
    assert (WORDS, WORDS, "llama3.2") == (said.prompt_eval_count, said.eval_count, said.model)


@of_every_client
def test_a_stream_is_the_same_text(play: Any) -> None:
    """Line by line; the last one is done."""

    async def scene(client: Any) -> list[Any]:
        return await collected(await result(client.chat(**ASKED, stream=True)))

    lines = play(scene)

    assert TEXT == "".join([line.message.content for line in lines])
    assert [False] * WORDS + [True] == [line.done for line in lines]
    assert (WORDS, "stop") == (lines[-1].eval_count, lines[-1].done_reason)


@of_every_client
def test_a_format_a_thought_and_a_limit_are_kept(play: Any) -> None:
    """JSON that fits my schema, thinking before the text, and an end where I set it."""

    async def scene(client: Any) -> tuple[Any, Any, list[Any], Any]:
        whole = client.chat(**ASKED, format=Place.model_json_schema())
        thinking = client.chat(**ASKED, think=True)
        stream = await collected(await result(client.chat(**ASKED, think=True, stream=True)))
        cut = client.chat(**ASKED, options={"num_predict": 2, "stop": ["better"]}, logprobs=True)
        return await result(whole), await result(thinking), stream, await result(cut)

    place, thinking, stream, cut = play(scene)

    assert Place(city=TEXT, inhabitants=0) == Place.model_validate_json(place.message.content)
    assert (TEXT, True) == (thinking.message.content, bool(thinking.message.thinking))
    assert thinking.message.thinking == "".join([it.message.thinking or "" for it in stream])
    assert ("größer ist", "length") == (cut.message.content, cut.done_reason)
    assert ["größer ", "ist"] == [entry.token for entry in cut.logprobs]


@of_every_client
def test_models_are_listed_and_loaded(play: Any) -> None:
    """A chat without messages loads its model."""

    async def scene(client: Any) -> tuple[Any, Any]:
        return await result(client.list()), await result(client.chat(model="llama3.2"))

    listed, loaded = play(scene)

    assert ["llama3.2:latest"] == [model.model for model in listed.models]
    assert ("load", "") == (loaded.done_reason, loaded.message.content)


@of_every_client
@pytest.mark.parametrize(("fault", "status"), [(Status404(), 404), (Status503(), 503)])
def test_an_error_is_the_clients_own(play: Any, fault: Fault, status: int) -> None:
    """ResponseError with the message and the status."""

    async def scene(client: Any) -> Any:
        with pytest.raises(ollama.ResponseError) as caught:
            await result(client.chat(**ASKED))
        return caught.value

    error = play(scene, fault)

    assert (status, False) == (error.status_code, "{" in error.error)


@of_every_client
def test_faults_of_streams_are_seen(play: Any) -> None:
    """An error in a line is raised; without its end, or its counts, the text is still there."""

    async def scene(client: Any) -> tuple[list[Any], list[Any]]:
        with pytest.raises(ollama.ResponseError, match="llama runner"):
            await collected(await result(client.chat(**ASKED, stream=True)))
        endless = await collected(await result(client.chat(**ASKED, stream=True)))
        return endless, await collected(await result(client.chat(**ASKED, stream=True)))

    endless, uncounted = play(scene, ErrorEventAfterContent(), MissingDone(), NoUsage())

    assert [False] * WORDS == [line.done for line in endless]
    assert (True, None, None) == (
        uncounted[-1].done,
        uncounted[-1].eval_count,
        uncounted[-1].prompt_eval_count,
    )


@of_every_client
def test_a_bad_request_is_refused(play: Any) -> None:
    """In Ollama's form."""

    async def scene(client: Any) -> None:
        for asked in (
            {"model": "m", "messages": [{"role": "king", "content": "x"}]},
            {"model": "m", "messages": [], "keep_alive": "long"},
            {"model": "m", "messages": [], "top_logprobs": 21},
        ):
            with pytest.raises(ollama.ResponseError) as caught:
                await result(client.chat(**asked))
            assert 400 == caught.value.status_code

    play(scene)
