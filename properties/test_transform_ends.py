"""A transform at its edges: each story short enough to be told in full, and so to be certain."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import httpx
import pytest
import trio
import trio.testing

from chaoscheck import PlanError, VirtualWorld
from chaoscheck.components.openrouter_transform import OpenRouterLLMTransform, OpenRouterSettings
from chaoscheck.components.output_port import CollectingOutputPort, RowResult
from chaoscheck.components.pooled_executor import PooledExecutor
from properties.scripted_provider import Play, Provider

BASE = "http://api.test/v1"


@asynccontextmanager
async def opened(
    provider: Any,
    output: Any = None,
    executor: PooledExecutor | None = None,
    **settings: Any,
) -> AsyncIterator[OpenRouterLLMTransform]:
    """An open transform over ``provider``; ids are "id 0", "id 1" …"""
    numbers = count()
    client = httpx.AsyncClient(transport=httpx.MockTransport(provider))
    transform = OpenRouterLLMTransform(
        client,
        output=CollectingOutputPort() if output is None else output,
        settings=OpenRouterSettings(**{"model": "m", "base_url": BASE, **settings}),
        executor=executor,
        new_id=lambda: f"id {next(numbers)}",
    )
    async with client, transform:
        yield transform


def told(story: Callable[[], Any]) -> Any:
    """What an async story comes to in a world of its own."""
    with VirtualWorld() as world:
        return world.run(story)


def test_closing_ends_all_rows_and_lets_in_whoever_waits_for_room_to_be_refused() -> None:
    """One attempt was under way, one row was in line: the first is closed, the second refused."""
    output, provider = CollectingOutputPort(), Provider(plays={"a": Play(takes_s=5)})

    async def story() -> float:
        async with opened(provider, output, max_pending=1) as transform:
            await transform.accept({"text": "a"})
            async with trio.open_nursery() as nursery:

                async def refused() -> None:
                    with pytest.raises(PlanError, match="accepted only inside"):
                        await transform.accept({"text": "b"})

                nursery.start_soon(refused)
                await trio.sleep(1)
                with trio.testing.assert_checkpoints():
                    await transform.aclose()
            assert transform.pending == ()
            with trio.testing.assert_checkpoints():
                await transform.flush()
        return trio.current_time()

    assert told(story) == 1
    [closed] = output.results
    assert closed.error is not None
    assert (closed.row, closed.attempts) == ({"text": "a"}, 1)
    assert (closed.error["reason"], closed.error["error_type"]) == ("closed", "closed")
    assert [seen.text for seen in provider.seen] == ["a"]


def test_a_row_is_refused_before_and_after_the_block() -> None:
    """And the block is entered once."""
    settings = OpenRouterSettings(model="m")
    transform = OpenRouterLLMTransform(
        httpx.AsyncClient(), output=CollectingOutputPort(), settings=settings
    )

    async def story() -> None:
        with pytest.raises(PlanError, match="accepted only inside"):
            await transform.accept({})
        async with transform:
            pass
        with pytest.raises(PlanError, match="accepted only inside"):
            await transform.accept({})
        with pytest.raises(PlanError, match="opened at most once"):
            async with transform:
                pass

    told(story)


class Broken:
    """An output port that takes nothing."""

    def emit(self, result: RowResult) -> None:
        """Raise."""
        raise LookupError(result.ticket)


@pytest.mark.parametrize("body_fails", [False, True])
def test_what_an_output_port_raises_ends_the_transform(body_fails: bool) -> None:
    """Together with what its body raised, if it did."""

    async def story() -> None:
        async with opened(Provider(), Broken()) as transform:
            await transform.accept({"text": "a"})
            if body_fails:
                await trio.testing.wait_all_tasks_blocked()
                raise ZeroDivisionError
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as group:
        told(story)
    assert group.value.subgroup(LookupError) is not None


def test_a_body_that_raises_is_let_through_as_it_is() -> None:
    """Not wrapped in a group, and what it left behind is evicted."""
    held: list[OpenRouterLLMTransform] = []

    async def story() -> None:
        async with opened(Provider(plays={"a": Play(takes_s=9)})) as transform:
            held.append(transform)
            await transform.accept({"text": "a"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        told(story)
    assert held[0].pending == ()


@pytest.mark.parametrize("column", [None, "name", "missing"])
def test_the_key_of_a_row_is_the_same_for_all_of_its_attempts(column: str | None) -> None:
    """It is the row's own in its column; without a column, or with an empty one, a fresh id."""
    provider = Provider(plays={"a": Play(words=("break",)), "b": Play(words=("break",))})

    async def story() -> None:
        async with opened(provider, key_column=column) as transform:
            await transform.accept({"text": "a", "name": "A/\u00e9 \ud800"})
            await transform.accept({"text": "b", "name": ""})

    told(story)
    keys = {text: {s.request.headers["Idempotency-Key"] for s in provider.seen if s.text == text}
            for text in "ab"}  # fmt: skip
    assert all(len(of_one) == 1 for of_one in keys.values())
    first, second = keys["a"].pop(), keys["b"].pop()
    assert first == "A%2F%C3%A9%20%5Cud800" if column == "name" else first.startswith("id ")
    assert second.startswith("id ")
    assert first != second
    attempts = [seen.request.headers["X-Attempt-Id"] for seen in provider.seen]
    assert len({*attempts, first, second}) == 6


def test_no_request_waits_for_a_connection_beyond_the_deadline_of_its_row() -> None:
    """Half a second before it, half a second is left; without a time-out there is none."""
    provider = Provider(plays={"a": Play(takes_s=9.5)})

    async def story() -> None:
        executor = PooledExecutor(1, 10.0)
        async with opened(provider, executor=executor, request_timeout_s=None) as transform:
            await transform.accept({"text": "a"})
            await transform.accept({"text": "b"})

    told(story)
    assert [seen.request.extensions["timeout"] for seen in provider.seen] == [
        {"connect": None, "read": None, "write": None, "pool": 10.0},
        {"connect": None, "read": None, "write": None, "pool": 0.5},
    ]


ERRORS = [
    (httpx.ConnectError("x"), "attempts_exhausted", "ConnectError"),
    (httpx.ReadTimeout("x"), "attempts_exhausted", "ReadTimeout"),
    (httpx.PoolTimeout("x"), "attempts_exhausted", "PoolTimeout"),
    (httpx.RemoteProtocolError("x"), "attempts_exhausted", "RemoteProtocolError"),
    (httpx.DecodingError("x"), "undecodable_reply", "DecodingError"),
    (httpx.TooManyRedirects("x"), "undecodable_reply", "TooManyRedirects"),
]


@pytest.mark.parametrize(("error", "reason", "error_type"), ERRORS)
def test_an_error_of_the_transport_is_worth_another_attempt_and_no_other_is(
    error: httpx.RequestError, reason: str, error_type: str
) -> None:
    """The row's error names the exception, and the attempts that it was given."""
    output = CollectingOutputPort()

    async def fail(request: httpx.Request) -> httpx.Response:
        raise error

    async def story() -> None:
        async with opened(fail, output) as transform:
            await transform.accept({"text": "a"})

    told(story)
    [failed] = output.results
    assert failed.error is not None
    assert (failed.error["reason"], failed.error["error_type"]) == (reason, error_type)
    assert f"{error_type}: x" in str(failed.error["message"])
    assert failed.attempts == (5 if reason == "attempts_exhausted" else 1)
    assert failed.error["status_code"] is None


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"model": ""}, "model must be a non-empty string, got ''"),
        ({"base_url": "ftp://api.test"}, "base_url must start with http:// or https://, got 'ftp"),
        ({"request_timeout_s": 0}, "request_timeout_s must be a finite number > 0, got 0"),
        ({"template": "{"}, "template must be a format string, got '{'"),
    ],
)
def test_illegal_settings_are_refused(settings: dict[str, Any], match: str) -> None:
    """By name, legal range and value."""
    with pytest.raises(PlanError) as refusal:
        OpenRouterSettings(**{"model": "m", **settings})

    assert str(refusal.value).startswith(match)


def test_settings_that_nobody_names_are_those_of_the_docs() -> None:
    """Defaults are promises; so is where a request goes, and what it asks for."""
    provider, output = Provider(), CollectingOutputPort()
    OpenRouterSettings(model="m", base_url="https://api.test", request_timeout_s=None)

    async def story() -> None:
        client = httpx.AsyncClient(transport=httpx.MockTransport(provider))
        async with (
            client,
            OpenRouterLLMTransform(
                client, output=output, settings=OpenRouterSettings(model="m")
            ) as transform,
        ):
            assert transform.executor.pool_size == 4
            assert transform.executor.max_capacity_retry_seconds == 30.0
            for number in range(64):
                assert await transform.accept({"text": str(number)}) == number
            with trio.move_on_after(0) as full:
                await transform.accept({"text": "one too many"})
            assert full.cancelled_caught

    told(story)
    seen = provider.seen[0].request
    assert str(seen.url) == "https://openrouter.ai/api/v1/chat/completions"
    assert seen.extensions["timeout"] == dict.fromkeys(("connect", "read", "write", "pool"), 30.0)
    assert json.loads(seen.content) == {
        "model": "m",
        "messages": [{"role": "user", "content": "0"}],
    }
    assert [result.content for result in output.results] == [str(n) for n in range(64)]


def test_a_port_counts_what_it_was_given() -> None:
    """Good and failed rows, in the order of arrival."""
    port = CollectingOutputPort()
    good = RowResult(ticket=0, row={}, content="c", attempts=1)
    bad = RowResult(ticket=1, row={}, error={"reason": "r"}, attempts=1)
    for result in (bad, good, good):
        port.emit(result)

    assert (good.ok, bad.ok, port.results, port.errors) == (True, False, [bad, good, good], [bad])
    assert (port.success_count, port.error_count, port.total_count) == (2, 1, 3)
