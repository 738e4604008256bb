"""The unmodified openai SDK uploads, batches, completes, moderates and comes back for responses."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.contract.sdk_clients import SDK_CLIENTS, SdkClient, collected, result

TEXT = "hello there,\n wörld"
MESSAGES = [{"role": "user", "content": TEXT}]
BATCH = {"completion_window": "24h", "metadata": {"why": "test"}}

pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'openai\\.:ResourceWarning")

of_every_client = pytest.mark.parametrize("client", SDK_CLIENTS, ids=lambda each: each.name)
OPENAI_CLIENTS = [client for client in SDK_CLIENTS if not client.azure]


def row(name: str, body: object, url: str = "/v1/chat/completions") -> bytes:
    """A line of a batch's file."""
    line = {"custom_id": name, "method": "POST", "url": url, "body": body}
    return json.dumps(line).encode() + b"\n"


def chat(text: str, **asked: object) -> dict[str, object]:
    """A chat's body."""
    return {"model": "m", "messages": [{"role": "user", "content": text}], **asked}


@of_every_client
def test_a_file_is_kept_byte_for_byte(client: SdkClient) -> None:
    """Uploaded, listed, fetched, read, deleted, and then gone."""
    content = bytes(range(256)) + b"\r\n--not the boundary\r\n"

    async def scene(sdk: Any) -> tuple[Any, ...]:
        made = await result(sdk.files.create(file=('a "b".bin', content), purpose="user_data"))
        listed = await collected(await result(sdk.files.list(purpose="user_data")))
        others = await collected(await result(sdk.files.list(purpose="batch")))
        again = await result(sdk.files.retrieve(made.id))
        read = await result(sdk.files.content(made.id))
        gone = await result(sdk.files.delete(made.id))
        with pytest.raises(openai.NotFoundError):
            await result(sdk.files.retrieve(made.id))
        return made, listed, others, again, read.read(), gone

    made, listed, others, again, read, gone = client.play(scene)

    assert (content, len(content), "user_data") == (read, made.bytes, made.purpose)
    assert ([made], [], made) == (listed, others, again)
    assert (made.id, True) == (gone.id, gone.deleted)


@of_every_client
def test_a_batch_answers_every_line(client: SdkClient) -> None:
    """Good answers and bad ones come as files, and every status is seen on the way."""
    content = (
        row("a", chat("one two"))
        + row("b", chat("x", temperature=9))
        + row("c", chat("y", stream=True))
        + row("d", chat("three", n=2))
    )

    async def scene(sdk: Any) -> tuple[Any, ...]:
        file = await result(sdk.files.create(file=("b.jsonl", content), purpose="batch"))
        asked = {"input_file_id": file.id, "endpoint": "/v1/chat/completions", **BATCH}
        made = await result(sdk.batches.create(**asked))
        seen = [await result(sdk.batches.retrieve(made.id)) for _ in range(3)]
        output = await result(sdk.files.content(seen[-1].output_file_id))
        errors = await result(sdk.files.content(seen[-1].error_file_id))
        listed = await collected(await result(sdk.batches.list(limit=1)))
        return made, seen, output.text, errors.text, listed

    made, seen, output, errors, listed = client.play(scene)

    assert ("validating", {"why": "test"}) == (made.status, made.metadata)
    assert ["in_progress", "completed", "completed"] == [batch.status for batch in seen]
    counts = seen[-1].request_counts
    assert (4, 2, 2) == (counts.total, counts.completed, counts.failed)
    assert [made.id] == [batch.id for batch in listed]
    good = [json.loads(line) for line in output.splitlines()]
    assert ["a", "d"] == [line["custom_id"] for line in good]
    bodies = [line["response"]["body"] for line in good]
    assert ["one two", "three"] == [it["choices"][0]["message"]["content"] for it in bodies]
    assert 2 == len({it["id"] for it in bodies})
    bad = [json.loads(line)["response"] for line in errors.splitlines()]
    assert [400, 400] == [line["status_code"] for line in bad]
    assert all(line["body"]["error"]["message"] for line in bad)


@of_every_client
def test_a_larger_batch_is_worked_off_step_by_step(client: SdkClient) -> None:
    """Each look at it finds it further, and no look keeps other clients waiting for long."""
    content = b"".join([row(f"r{number}", chat(f"text {number}")) for number in range(50)])

    async def scene(sdk: Any) -> tuple[list[Any], str]:
        file = await result(sdk.files.create(file=("b.jsonl", content), purpose="batch"))
        asked = {"input_file_id": file.id, "endpoint": "/v1/chat/completions", **BATCH}
        made = await result(sdk.batches.create(**asked))
        seen = [await result(sdk.batches.retrieve(made.id)) for _ in range(4)]
        output = await result(sdk.files.content(seen[-1].output_file_id))
        return seen, output.text

    seen, output = client.play(scene)

    assert [0, 20, 40, 50] == [batch.request_counts.completed for batch in seen]
    assert ["in_progress"] * 3 + ["completed"] == [batch.status for batch in seen]
    said = [json.loads(line)["response"]["body"] for line in output.splitlines()]
    assert [f"text {number}" for number in range(50)] == [
        body["choices"][0]["message"]["content"] for body in said
    ]


@of_every_client
@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"no json\n", "invalid_json_line", 1),
        (row("a", chat("x")) + b"{}\n", "missing_required_parameter", 2),
        (row("a", chat("x"), "/v1/embeddings"), "invalid_url", 1),
        (row("a", chat("x")) * 2, "duplicate_custom_id", 2),
        (row("a", chat("x")) * 201, "too_many_tasks", None),
    ],
)
def test_a_bad_file_fails_its_batch(
    client: SdkClient, content: bytes, code: str, line: int | None
) -> None:
    """The line is named."""

    async def scene(sdk: Any) -> Any:
        file = await result(sdk.files.create(file=("b.jsonl", content), purpose="batch"))
        asked = {"input_file_id": file.id, "endpoint": "/v1/chat/completions", **BATCH}
        made = await result(sdk.batches.create(**asked))
        return await result(sdk.batches.retrieve(made.id))

    batch = client.play(scene)

    problem = batch.errors.data[0]
    assert ("failed", code, line) == (batch.status, problem.code, problem.line)


@of_every_client
def test_a_batch_is_cancelled(client: SdkClient) -> None:
    """While it is under way; what is not there, or over, cannot be."""

    async def scene(sdk: Any) -> list[str]:
        content = row("a", {"model": "m", "input": "x"}, "/v1/embeddings")
        file = await result(sdk.files.create(file=("b.jsonl", content), purpose="batch"))
        asked = {"input_file_id": file.id, "endpoint": "/v1/embeddings", **BATCH}
        made = await result(sdk.batches.create(**asked))
        seen = [await result(sdk.batches.cancel(made.id))]
        seen.append(await result(sdk.batches.retrieve(made.id)))
        with pytest.raises(openai.BadRequestError):
            await result(sdk.batches.cancel(made.id))
        with pytest.raises(openai.NotFoundError):
            await result(sdk.batches.retrieve("batch_x"))
        with pytest.raises(openai.BadRequestError):
            await result(sdk.batches.create(**{**asked, "input_file_id": "file-x"}))
        return [batch.status for batch in seen]

    assert ["cancelling", "cancelled"] == client.play(scene)


@of_every_client
def test_a_form_without_its_file_or_purpose_is_refused(client: SdkClient) -> None:
    """A purpose that the provider does not know, and a file for a batch that is empty."""

    async def scene(sdk: Any) -> None:
        for purpose, content in (("fun", b"x"), ("batch", b"")):
            with pytest.raises(openai.BadRequestError):
                await result(sdk.files.create(file=("f", content), purpose=purpose))

    client.play(scene)


@of_every_client
def test_a_completion_is_echoed(client: SdkClient) -> None:
    """Whole and streamed, with likelihoods."""

    async def scene(sdk: Any) -> tuple[Any, list[Any]]:
        asked = {"model": "m", "prompt": TEXT, "logprobs": 2}
        whole = await result(sdk.completions.create(**asked))
        return whole, await collected(await result(sdk.completions.create(**asked, stream=True)))

    whole, chunks = client.play(scene)

    (choice,) = whole.choices
    assert (TEXT, "stop") == (choice.text, choice.finish_reason)
    assert TEXT == "".join([it.text for chunk in chunks for it in chunk.choices])
    assert ["hello ", "there,\n ", "wörld"] == choice.logprobs.tokens


@pytest.mark.parametrize("client", OPENAI_CLIENTS, ids=lambda each: each.name)
def test_an_input_is_moderated(client: SdkClient) -> None:
    """One verdict each, in the SDK's own types."""

    async def scene(sdk: Any) -> Any:
        return await result(sdk.moderations.create(input=["calm", "[violence/graphic]"]))

    calm, wild = client.play(scene).results

    assert (False, True) == (calm.flagged, wild.flagged)
    assert (True, False) == (wild.categories.violence_graphic, wild.categories.self_harm)


@of_every_client
def test_a_response_is_fetched_and_continued(client: SdkClient) -> None:
    """In the background as well, and its tokens are counted before."""

    async def scene(sdk: Any) -> tuple[Any, ...]:
        counted = await result(sdk.responses.input_tokens.count(model="m", input="a b c"))
        first = await result(sdk.responses.create(model="m", input="a b c", background=True))
        seen = [await result(sdk.responses.retrieve(first.id)) for _ in range(2)]
        asked = {"model": "m", "input": "d", "previous_response_id": first.id}
        second = await result(sdk.responses.create(**asked))
        items = await collected(await result(sdk.responses.input_items.list(second.id)))
        await result(sdk.responses.delete(first.id))
        with pytest.raises(openai.NotFoundError):
            await result(sdk.responses.retrieve(first.id))
        return counted, first, seen, second, items

    counted, first, seen, second, items = client.play(scene)

    assert ("queued", ["in_progress", "completed"]) == (first.status, [it.status for it in seen])
    assert (3, "a b c") == (counted.input_tokens, seen[-1].output_text)
    assert ("d", 7) == (second.output_text, second.usage.input_tokens)
    assert ["d"] == [item.content[0].text for item in items]
