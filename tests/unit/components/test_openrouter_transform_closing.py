"""How an OpenRouterLLMTransform opens and ends: closed, crashed, or left by an error."""

from __future__ import annotations

import httpx
import pytest
import trio

from chaoscheck.components.openrouter_transform import OpenRouterLLMTransform, OpenRouterSettings
from chaoscheck.components.output_port import CollectingOutputPort, RowResult
from chaoscheck.errors import PlanError
from tests.unit.components.conftest import Run
from tests.unit.components.transform_bench import Bench, echo_at_once, reason_of, slow_echo


def test_closing_ends_every_pending_row_at_once_and_in_order(run: Run) -> None:
    """A shutdown waits for nothing and yet loses no row without a word."""
    bench = Bench(slow_echo({"a": 50, "c": 50}))

    async def main() -> None:
        async with bench.transform as transform:
            for text in "abc":
                await transform.accept({"text": text})
            await trio.sleep(1)
            await transform.aclose()
            with pytest.raises(PlanError, match="before aclose"):
                await transform.accept({"text": "late"})
        assert [reason_of(result) for result in bench.output.results] == ["closed", None, "closed"]
        assert [result.attempts for result in bench.output.results] == [1, 1, 1]
        assert trio.current_time() == 1.0

    run(main)


def test_who_waits_to_hand_in_a_row_is_refused_when_the_transform_closes(run: Run) -> None:
    """Nobody is left waiting for a transform that is gone."""
    bench = Bench(slow_echo({"a": 50}), max_pending=1)
    refused: list[str] = []

    async def hand_in(text: str) -> None:
        try:
            await bench.transform.accept({"text": text})
        except PlanError:
            refused.append(text)

    async def main() -> None:
        async with trio.open_nursery() as nursery, bench.transform as transform:
            await transform.accept({"text": "a"})
            nursery.start_soon(hand_in, "b")
            nursery.start_soon(hand_in, "c")
            await trio.sleep(1)
            await transform.aclose()
        assert sorted(refused) == ["b", "c"]
        assert bench.output.total_count == 1

    run(main)


def test_an_error_in_the_body_leaves_the_transform_as_it_is(run: Run) -> None:
    """The user sees the own exception, not one wrapped by an inner nursery."""
    bench = Bench(slow_echo({"a": 50}))

    async def main() -> None:
        with pytest.raises(KeyError):
            async with bench.transform as transform:
                await transform.accept({"text": "a"})
                raise KeyError("mine")
        assert (transform.pending, trio.current_time()) == ((), 0.0)

    run(main)


def test_an_output_that_fails_ends_the_transform_loudly(run: Run) -> None:
    """A result that cannot be delivered is never dropped in silence."""

    class FullDisk(CollectingOutputPort):
        def emit(self, result: RowResult) -> None:
            raise OSError("disk full")

    bench = Bench(echo_at_once)
    bench.transform = OpenRouterLLMTransform(
        httpx.AsyncClient(transport=httpx.MockTransport(echo_at_once), verify=False),
        output=FullDisk(),
        settings=OpenRouterSettings(model="m"),
    )

    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await bench.process("a", "b")
        assert caught.group_contains(OSError, match="disk full")

    run(main)


def test_a_transform_opens_once(run: Run) -> None:
    """Reuse after the end, or a second opening, is a clear mistake."""
    bench = Bench(echo_at_once)

    async def main() -> None:
        with pytest.raises(PlanError, match="inside 'async with transform'"):
            await bench.transform.accept({"text": "early"})
        await bench.process("a")
        with pytest.raises(PlanError, match="opened at most once"):
            await bench.process("b")

    run(main)
