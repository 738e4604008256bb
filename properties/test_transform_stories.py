"""A transform's rows one by one: sent, evicted, closed, refused, to the instant and the field."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import trio
import trio.testing

from chaoscheck import PlanError
from chaoscheck.components.openrouter_transform import OpenRouterLLMTransform, OpenRouterSettings
from chaoscheck.components.output_port import CollectingOutputPort
from chaoscheck.components.pooled_executor import PooledExecutor
from chaoscheck.components.query import QueryError, QueryResult
from properties.scripted_pool import SetClock
from properties.scripted_provider import Play, Provider
from properties.test_transform_ends import opened, told


class Hearing(PooledExecutor):
    """An executor that keeps the error of each failed attempt."""

    def __init__(self, pool_size: int, max_seconds: float) -> None:
        super().__init__(pool_size, max_seconds)
        self.errors: list[QueryError] = []

    async def execute(
        self,
        query: Any,
        call: Callable[[Any, int], Awaitable[Any]],
        *,
        submitted_s: float | None = None,
    ) -> QueryResult[Any]:
        """As any other does."""

        async def heard(query: Any, number: int) -> Any:
            try:
                return await call(query, number)
            except QueryError as error:
                self.errors.append(error)
                raise

        return await super().execute(query, heard, submitted_s=submitted_s)


# ---------------------------------------------------------------------- what is sent


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("http://api.test/v1", "http://api.test/v1/chat/completions"),
        ("http://api.test/v1//", "http://api.test/v1/chat/completions"),
        ("http://api.test/~", "http://api.test/~/chat/completions"),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
def test_a_row_is_one_request(base_url: str, expected: str, streaming: bool) -> None:
    """To the address that was set, with its prompt; a stream is asked for with its usage."""
    provider, output = Provider(), CollectingOutputPort()

    async def story() -> None:
        async with opened(provider, output, base_url=base_url, streaming=streaming) as transform:
            await transform.accept({"text": "a"})

    told(story)
    [seen], [result] = provider.seen, output.results
    document: dict[str, object] = {"model": "m", "messages": [{"role": "user", "content": "a"}]}
    if streaming:
        document |= {"stream": True, "stream_options": {"include_usage": True}}
    assert (str(seen.request.url), dict(seen.document)) == (expected, document)
    assert (result.content, result.attempts) == ("a", 1)


@pytest.mark.parametrize(
    ("template", "row", "error_type"),
    [
        ("{name}", {"text": "a"}, "KeyError"),
        ("{text[0]}", {"text": ""}, "IndexError"),
        ("{text.real}", {"text": "a"}, "AttributeError"),
        ("{text:d}", {"text": "a"}, "ValueError"),
        ("{text[0]}", {"text": None}, "TypeError"),
    ],
)
def test_a_row_that_does_not_fit_its_template_is_never_sent(
    template: str, row: dict[str, object], error_type: str
) -> None:
    """Its error says what did not fit; the next row goes on."""
    provider, output = Provider(), CollectingOutputPort()

    async def story() -> None:
        async with opened(provider, output, template=template) as transform:
            await transform.accept(row)

    told(story)
    [failed] = output.results
    error = dict(failed.error or {})
    assert str(error.pop("message")).startswith("the row does not fit the template: ")
    assert error == {"reason": "template_error", "error_type": error_type}
    assert (failed.attempts, provider.seen) == (0, [])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (httpx.PoolTimeout("x"), "pool_timeout"),
        (httpx.ReadTimeout("x"), "timeout"),
        (httpx.ConnectTimeout("x"), "timeout"),
        (httpx.ConnectError("x"), "transport_error"),
        (httpx.RemoteProtocolError("x"), "transport_error"),
    ],
)
def test_an_executor_learns_why_a_request_failed(error: httpx.RequestError, reason: str) -> None:
    """By name; each is worth another attempt, and none has a status."""
    executor = Hearing(1, 30.0)

    async def fail(request: httpx.Request) -> httpx.Response:
        raise error

    async def story() -> None:
        async with opened(fail, executor=executor) as transform:
            await transform.accept({"text": "a"})

    told(story)
    heard = executor.errors[0]
    name = type(error).__name__
    assert (heard.kind, heard.reason, heard.error_type) == ("transient", reason, name)
    assert (heard.message, heard.status_code, heard.retry_after_s) == (f"{name}: x", None, None)


def test_a_request_that_sets_out_at_the_last_instant_waits_for_no_connection() -> None:
    """On a real clock the deadline may come within the step that builds the request."""
    clock, seen = SetClock(), list[httpx.Request]()

    async def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(400)

    def new_id() -> str:
        clock.now_s += 20.0
        return "id"

    async def story() -> None:
        transform = OpenRouterLLMTransform(
            httpx.AsyncClient(transport=httpx.MockTransport(answer)),
            output=CollectingOutputPort(),
            settings=OpenRouterSettings(model="m", key_column="text"),
            executor=PooledExecutor(1, 10.0),
            new_id=new_id,
        )
        async with transform:
            await transform.accept({"text": "a"})

    trio.run(story, clock=clock)
    [request] = seen
    assert request.extensions["timeout"]["pool"] == 0.0


# ---------------------------------------------------------------------- tickets


def test_a_row_that_is_refused_takes_no_ticket() -> None:
    """The first one that is accepted has number 0."""

    async def story() -> int:
        transform = OpenRouterLLMTransform(
            httpx.AsyncClient(transport=httpx.MockTransport(Provider())),
            output=CollectingOutputPort(),
            settings=OpenRouterSettings(model="m"),
        )
        with pytest.raises(PlanError, match="accepted only inside"):
            await transform.accept({"text": "too early"})
        async with transform:
            return await transform.accept({"text": "a"})

    assert told(story) == 0


def test_a_row_that_is_evicted_ends_at_once_and_holds_up_no_other() -> None:
    """Its attempt is cancelled, and what waited for it leaves in the same instant."""
    output = CollectingOutputPort()
    provider = Provider(plays={"a": Play(takes_s=5)})

    async def story() -> float:
        async with opened(provider, output) as transform:
            first = await transform.accept({"text": "a"})
            await transform.accept({"text": "b"})
            await trio.sleep(1)
            assert (output.results, transform.pending) == ([], (0, 1))
            assert transform.evict(first) is True
            assert [result.content for result in output.results] == ["b"]
            assert transform.evict(first) is False
            assert transform.evict(1) is False
        return trio.current_time()

    assert told(story) == 1.0
    assert [result.ticket for result in output.results] == [1]


def test_a_row_may_be_evicted_before_its_submitter_knows_of_its_ticket() -> None:
    """Who waits for room is given a ticket, and it is gone before they run: nothing is sent."""
    output, provider = CollectingOutputPort(), Provider(plays={"a": Play(takes_s=5)})
    tickets: list[int] = []

    async def story() -> None:
        async with opened(provider, output, max_pending=1) as transform:

            async def submit() -> None:
                tickets.append(await transform.accept({"text": "b"}))

            await transform.accept({"text": "a"})
            async with trio.open_nursery() as nursery:
                nursery.start_soon(submit)
                await trio.testing.wait_all_tasks_blocked()
                assert transform.evict(0) is True
                assert transform.evict(1) is True

    told(story)
    assert (tickets, output.results) == ([1], [])
    assert [seen.text for seen in provider.seen] == ["a"]


def test_so_many_rows_are_pending_and_no_more_where_nobody_says_how_many() -> None:
    """64 by the docs; the next one waits for room."""
    release = trio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        await release.wait()
        return httpx.Response(400)

    async def story() -> tuple[int, bool]:
        async with opened(answer) as transform:
            for _ in range(64):
                await transform.accept({"text": "x"})
            with trio.move_on_after(1) as waiting:
                await transform.accept({"text": "one too many"})
            pending = len(transform.pending)
            release.set()
        return pending, waiting.cancelled_caught

    assert told(story) == (64, True)


def test_closing_tells_of_each_row_how_often_it_was_sent() -> None:
    """One is in its second attempt, one waits for a slot; both are closed, in their order."""
    output = CollectingOutputPort()
    provider = Provider(plays={"a": Play(words=("break",), takes_s=1)})

    async def story() -> None:
        async with opened(provider, output, executor=PooledExecutor(1, 30.0)) as transform:
            await transform.accept({"text": "a"})
            await trio.sleep(1.75)
            await transform.accept({"text": "b"})
            await trio.testing.wait_all_tasks_blocked()
            await transform.aclose()

    told(story)
    closed = {
        "reason": "closed",
        "error_type": "closed",
        "message": "the transform was closed before the row was finished",
    }
    assert [(result.row["text"], result.attempts) for result in output.results] == [
        ("a", 2),
        ("b", 0),
    ]
    assert [json.dumps(result.error) for result in output.results] == [json.dumps(closed)] * 2
