"""OpenRouterLLMTransform over a scripted HTTP transport, in virtual time."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import trio

from chaoscheck.components.output_port import RowResult
from chaoscheck.components.reorder_buffer import TicketError
from chaoscheck.errors import PlanError
from tests.unit.components.conftest import Run
from tests.unit.components.transform_bench import (
    Bench,
    echo,
    echo_at_once,
    prompt_of,
    reason_of,
    slow_echo,
)


def test_a_good_row_carries_what_the_server_sent_for_it(run: Run) -> None:
    """Content, model, usage and the number of requests arrive with the row."""

    async def main() -> None:
        [result] = await Bench(echo_at_once, template="say {text}").process("hi\ud800 ü")
        assert result == RowResult(
            ticket=0,
            row={"text": "hi\ud800 ü"},
            content="say hi\ud800 ü",
            model="m-1",
            usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
            attempts=1,
        )
        assert result.ok

    run(main)


def test_rows_come_out_in_the_order_they_went_in(run: Run) -> None:
    """Fast rows wait for slow ones before them, and failed rows keep their place."""

    async def handle(request: httpx.Request) -> httpx.Response:
        if prompt_of(request) == "b":
            return httpx.Response(400)
        return await slow_echo({"a": 5, "c": 1})(request)

    async def main() -> None:
        results = await Bench(handle).process("a", "b", "c", "d")
        assert [result.content for result in results] == ["a", None, "c", "d"]
        assert [reason_of(result) for result in results] == [None, "client_error", None, None]
        assert trio.current_time() == 5.0

    run(main)


def test_every_attempt_of_a_row_shares_its_key_and_has_its_own_id(run: Run) -> None:
    """A server can tell a retry from a new row, and a log each attempt from the other."""

    async def handle(request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        return httpx.Response(500) if len(bench.requests) == 1 else echo(request)

    bench = Bench(handle)

    async def main() -> None:
        await bench.process("a")
        keys = [request.headers["Idempotency-Key"] for request in bench.requests]
        ids = [request.headers["X-Attempt-Id"] for request in bench.requests]
        assert (2, 1, 2) == (len(keys), len(set(keys)), len(set(ids)))

    run(main)


@pytest.mark.parametrize(
    ("row_id", "key"), [("row-7", "row-7"), (7, "7"), ("a\r\nb ü", "a%0D%0Ab%20%C3%BC")]
)
def test_the_key_may_come_from_a_column(run: Run, row_id: object, key: str) -> None:
    """Whatever stands in the column becomes a legal header."""
    bench = Bench(echo_at_once, key_column="id")

    async def main() -> None:
        async with bench.transform as transform:
            await transform.accept({"id": row_id, "text": "a"})
        assert key == bench.requests[0].headers["Idempotency-Key"]
        assert str(bench.requests[0].url) == "https://openrouter.ai/api/v1/chat/completions"

    run(main)


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError,
        httpx.ReadError,
        httpx.ReadTimeout,
        httpx.RemoteProtocolError,
        httpx.PoolTimeout,
    ],
)
def test_transport_errors_are_retried(run: Run, error: type[httpx.TransportError]) -> None:
    """A lost connection or a truncated body says nothing about the row."""

    async def handle(request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        if len(bench.requests) < 3:
            raise error("lost", request=request)
        return echo(request)

    bench = Bench(handle)

    async def main() -> None:
        [result] = await bench.process("a")
        assert (result.content, result.attempts) == ("a", 3)

    run(main)


@pytest.mark.parametrize(
    ("error", "attempts", "reason"),
    [
        (httpx.ConnectError, 3, "attempts_exhausted"),
        (httpx.DecodingError, 1, "undecodable_reply"),
    ],
)
def test_a_row_that_never_gets_a_reply_fails_with_the_last_error(
    run: Run, error: type[httpx.RequestError], attempts: int, reason: str
) -> None:
    """The error names why the row was given up and what was last seen."""

    async def handle(request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        raise error("lost", request=request)

    async def main() -> None:
        [result] = await Bench(handle).process("a")
        assert result.error is not None
        assert (attempts, reason, error.__name__, None) == (
            result.attempts,
            result.error["reason"],
            result.error["error_type"],
            result.error["status_code"],
        )
        assert "lost" in str(result.error["message"])

    run(main)


def test_the_pool_of_connections_is_waited_for_until_the_deadline(run: Run) -> None:
    """A request is bounded by its time-out, and waiting for a connection by the deadline alone."""
    bench = Bench(echo_at_once, request_timeout_s=7, max_capacity_retry_seconds=20)

    async def main() -> None:
        await bench.process("a")
        timeout = bench.requests[0].extensions["timeout"]
        assert timeout == {"connect": 7, "read": 7, "write": 7, "pool": 20.0}

    run(main)


def test_a_row_that_does_not_fit_the_template_fails_alone(run: Run) -> None:
    """One bad row never harms the others."""
    bench = Bench(echo_at_once)

    async def main() -> None:
        async with bench.transform as transform:
            await transform.accept({"txt": "typo"})
            await transform.accept({"text": "b"})
        assert [reason_of(result) for result in bench.output.results] == ["template_error", None]
        assert bench.output.errors[0].error is not None
        assert {"reason", "error_type", "message"} <= bench.output.errors[0].error.keys()

    run(main)


def test_accept_waits_only_while_too_many_rows_are_pending(run: Run) -> None:
    """Back-pressure: memory is bounded by the rows that may be pending."""
    bench = Bench(slow_echo({"a": 5}), max_pending=2)

    async def main() -> None:
        async with bench.transform as transform:
            await transform.accept({"text": "a"})
            await transform.accept({"text": "b"})
            assert trio.current_time() == 0.0
            assert transform.pending == (0, 1)
            await transform.accept({"text": "c"})
            assert trio.current_time() == 5.0
            await transform.flush()
            assert len(transform.pending) == 0
            assert bench.output.total_count == 3

    run(main)


@pytest.mark.parametrize("evicted", [0, 1, 2])
def test_evicting_a_row_at_any_position_lets_the_others_go_on(run: Run, evicted: int) -> None:
    """A row that is given up leaves no trace and no gap that stalls."""
    bench = Bench(slow_echo({"a": 3, "b": 2, "c": 1}))

    async def main() -> None:
        async with bench.transform as transform:
            for text in "abc":
                await transform.accept({"text": text})
            assert transform.evict(evicted)
            assert not transform.evict(evicted)
            with pytest.raises(TicketError):
                transform.evict(3)
        assert "abc".replace("abc"[evicted], "") == "".join(
            str(result.content) for result in bench.output.results
        )

    run(main)


def test_evicting_a_head_lets_finished_rows_out_at_once(run: Run) -> None:
    """The rows behind a stuck one need not wait any longer."""
    bench = Bench(slow_echo({"a": 50}))

    async def main() -> None:
        async with bench.transform as transform:
            await transform.accept({"text": "a"})
            await transform.accept({"text": "b"})
            await trio.sleep(1)
            assert bench.output.total_count == 0
            transform.evict(0)
            assert [result.content for result in bench.output.results] == ["b"]
        assert trio.current_time() == 1.0

    run(main)


@pytest.mark.parametrize(
    "settings",
    [
        {"model": ""},
        {"template": "{text"},
        {"base_url": "openrouter.ai"},
        {"request_timeout_s": 0},
        {"max_pending": 0},
        {"pool_size": 0},
        {"max_capacity_retry_seconds": -1},
    ],
)
def test_illegal_settings_are_refused_with_the_legal_range(settings: dict[str, Any]) -> None:
    """A wrong setting is named before the first row."""
    with pytest.raises(PlanError, match="must"):
        Bench(echo_at_once, **settings)
