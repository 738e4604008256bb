"""The unmodified anthropic SDK batches messages and uploads files, sync and async."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anthropic
import httpx2
import pytest

from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.threaded import ThreadedServer
from chaoscheck.world.virtual import VirtualWorld
from tests.contract.sdk_clients import collected, result
from tests.contract.worlds import HOST, serve

T = TypeVar("T")
Scene = Callable[[Any], Awaitable[T]]
TIMEOUT_S = 5.0

pytestmark = pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")


def play_async(scene: Scene[T]) -> T:
    """The async client in a virtual world."""

    async def main() -> T:
        pool = httpx2.AsyncClient(verify=False, trust_env=False, timeout=TIMEOUT_S)
        async with anthropic.AsyncAnthropic(
            base_url=f"http://{HOST}", api_key="k", max_retries=0, http_client=pool
        ) as client:
            return await scene(client)

    with VirtualWorld() as world:
        serve(world, ChaosServer())
        return world.run(main)


def play_sync(scene: Scene[T]) -> T:
    """The sync client over TCP."""
    pool = httpx2.Client(verify=False, trust_env=False, timeout=TIMEOUT_S)
    with (
        ThreadedServer() as server,
        anthropic.Anthropic(
            base_url=server.anthropic_url, api_key="k", max_retries=0, http_client=pool
        ) as client,
    ):
        try:
            scene(client).__await__().send(None)
        except StopIteration as finished:
            played: T = finished.value
            return played
    raise AssertionError("a scene with a sync client has nothing to wait for")


of_every_client = pytest.mark.parametrize("play", [play_sync, play_async])


def message(custom_id: str, text: str, **params: object) -> Any:
    """A message of a batch."""
    asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": text}]}
    return {"custom_id": custom_id, "params": {**asked, **params}}


@of_every_client
def test_a_batch_answers_every_message(play: Any) -> None:
    """Good ones and bad ones; it is seen at work, read when it has ended, then deleted."""

    async def scene(sdk: Any) -> tuple[Any, ...]:
        batches = sdk.messages.batches
        made = await result(
            batches.create(requests=[message("a", "hello"), message("b", "x", max_tokens=0)])
        )
        with pytest.raises(anthropic.BadRequestError):
            await result(batches.delete(made.id))
        seen = [await result(batches.retrieve(made.id)) for _ in range(3)]
        results = await collected(await result(batches.results(made.id)))
        listed = await collected(await result(batches.list(limit=1)))
        gone = await result(batches.delete(made.id))
        with pytest.raises(anthropic.NotFoundError):
            await result(batches.retrieve(made.id))
        return made, seen, results, listed, gone

    made, seen, results, listed, gone = play(scene)

    assert ["in_progress", "ended", "ended"] == [batch.processing_status for batch in seen]
    assert (2, 0) == (made.request_counts.processing, seen[1].request_counts.processing)
    assert (1, 1) == (seen[1].request_counts.succeeded, seen[1].request_counts.errored)
    good, bad = results
    assert ("a", "hello") == (good.custom_id, good.result.message.content[0].text)
    assert ("b", "errored") == (bad.custom_id, bad.result.type)
    assert "invalid_request_error" == bad.result.error.error.type
    assert ([made.id], made.id) == ([batch.id for batch in listed], gone.id)


@of_every_client
def test_a_larger_batch_is_worked_off_step_by_step(play: Any) -> None:
    """Each look at it finds it further; canceled in between, what is left is canceled."""
    requests = [message(f"m{number}", "x") for number in range(50)]

    async def scene(sdk: Any) -> tuple[list[Any], Any]:
        batches = sdk.messages.batches
        made = await result(batches.create(requests=requests))
        seen = [await result(batches.retrieve(made.id)) for _ in range(4)]
        other = await result(batches.create(requests=requests))
        for _ in range(2):
            await result(batches.retrieve(other.id))
        await result(batches.cancel(other.id))
        return seen, await result(batches.retrieve(other.id))

    seen, other = play(scene)

    assert [0, 20, 40, 50] == [batch.request_counts.succeeded for batch in seen]
    assert [50, 30, 10, 0] == [batch.request_counts.processing for batch in seen]
    assert ["in_progress"] * 3 + ["ended"] == [batch.processing_status for batch in seen]
    assert ("ended", 20, 30) == (
        other.processing_status,
        other.request_counts.succeeded,
        other.request_counts.canceled,
    )


@of_every_client
def test_a_batch_is_canceled(play: Any) -> None:
    """Then its messages are canceled, each."""

    async def scene(sdk: Any) -> tuple[Any, ...]:
        batches = sdk.messages.batches
        made = await result(batches.create(requests=[message("a", "x"), message("b", "y")]))
        canceling = await result(batches.cancel(made.id))
        ended = await result(batches.retrieve(made.id))
        with pytest.raises(anthropic.BadRequestError):
            await result(batches.cancel(made.id))
        return canceling, ended, await collected(await result(batches.results(made.id)))

    canceling, ended, results = play(scene)

    assert ("canceling", "ended") == (canceling.processing_status, ended.processing_status)
    assert (2, ["canceled"] * 2) == (
        ended.request_counts.canceled,
        [each.result.type for each in results],
    )


@of_every_client
@pytest.mark.parametrize(
    "requests",
    [
        [],
        [message("a b", "x")],
        [message("a", "x")] * 2,
        [{"custom_id": "a"}],
        [message("a", "x", stream=True)],
        [message(f"m{number}", "x") for number in range(201)],
    ],
    ids=["none", "bad id", "twice", "no params", "streamed", "too many"],
)
def test_a_bad_batch_is_refused(play: Any, requests: Any) -> None:
    """Before any of it is answered."""

    async def scene(sdk: Any) -> None:
        with pytest.raises(anthropic.BadRequestError, match="requests"):
            await result(sdk.messages.batches.create(requests=requests))

    play(scene)


@of_every_client
def test_a_file_is_kept(play: Any) -> None:
    """Uploaded, listed, looked up, deleted; a client's own file is not downloadable."""

    async def scene(sdk: Any) -> tuple[Any, ...]:
        files = sdk.beta.files
        made = await result(files.upload(file=("größe.txt", b"content", "text/plain")))
        listed = await collected(await result(files.list()))
        again = await result(files.retrieve_metadata(made.id))
        with pytest.raises(anthropic.BadRequestError, match="not downloadable"):
            await result(files.download(made.id))
        gone = await result(files.delete(made.id))
        with pytest.raises(anthropic.NotFoundError):
            await result(files.retrieve_metadata(made.id))
        return made, listed, again, gone

    made, listed, again, gone = play(scene)

    assert ("größe.txt", 7, "text/plain") == (made.filename, made.size_bytes, made.mime_type)
    assert ([made], made) == (listed, again)
    assert (made.id, "file_deleted") == (gone.id, gone.type)


@of_every_client
def test_lists_are_read_page_by_page(play: Any) -> None:
    """The SDK finds every file and every batch, the newest first, two at a time."""

    async def scene(sdk: Any) -> tuple[Any, ...]:
        files = [await result(sdk.beta.files.upload(file=("f", b"x"))) for _ in range(5)]
        made = [
            await result(sdk.messages.batches.create(requests=[message("a", "x")]))
            for _ in range(5)
        ]
        paged = sdk.messages.batches.list(limit=2)
        return (
            [each.id for each in files],
            [each.id for each in await collected(await result(sdk.beta.files.list(limit=2)))],
            [each.id for each in made],
            [each.id for each in await collected(await result(paged))],
        )

    files, found_files, batches, found_batches = play(scene)

    assert (files[::-1], batches[::-1]) == (found_files, found_batches)
