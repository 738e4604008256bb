"""Retry: its delays against the model, and how a call walks them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.components.retry import Retry, RetryExhausted, RetryShape
from chaoscheck.errors import PlanError
from models.retry_delays import calls, lawful_delay, sleeps
from tests.unit.components.conftest import Run

SHAPES: list[RetryShape] = ["exponential", "linear", "fibonacci", "decorrelated", "full"]
TIMES = st.one_of(st.sampled_from([0.0, 1.0, 5e-324, 1e308]), st.floats(0, 1e6))
COUNTS = st.one_of(st.integers(1, 60), st.sampled_from([10**6, 10**400]))


@given(st.sampled_from(SHAPES), COUNTS, TIMES, TIMES, st.floats(0, 1), st.data())
def test_every_delay_is_lawful_at_any_count(
    shape: RetryShape, i: int, base_s: float, cap_s: float, where: float, data: st.DataObject
) -> None:
    """No count, base or draw makes a delay overflow, go below zero or beyond the cap."""
    previous_s = data.draw(st.floats(0, cap_s))
    retry = Retry(
        3, base_s, cap_s, shape=shape, uniform=lambda low, high: low + (high - low) * where
    )
    delay_s = retry.delay_s(i, previous_s)

    assert lawful_delay(delay_s, shape, i, base_s=base_s, cap_s=cap_s, previous_s=previous_s), (
        delay_s
    )


def test_a_count_beyond_any_float_may_still_make_a_short_delay() -> None:
    """10**400 times the smallest base is no more than it is."""
    retry = Retry(3, 2e-313, 1e308, shape="linear")

    assert lawful_delay(
        retry.delay_s(10**400, 0.0), "linear", 10**400, base_s=2e-313, cap_s=1e308, previous_s=0.0
    )


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("exponential", [1, 2, 4, 8, 10, 10]),
        ("linear", [1, 2, 3, 4, 5, 6]),
        ("fibonacci", [1, 1, 2, 3, 5, 8]),
    ],
)
def test_the_shapes_grow_as_their_names_say(shape: RetryShape, expected: list[float]) -> None:
    """The first six delays of a base of 1 s and a cap of 10 s."""
    retry = Retry(9, 1, 10, shape=shape)

    assert expected == [retry.delay_s(i) for i in range(1, 7)]


@given(st.sampled_from(SHAPES), st.floats(-10, 1e300))
def test_a_jitter_source_that_strays_cannot_break_the_cap(shape: RetryShape, stray: float) -> None:
    """Whatever the source of chance returns, the delay stays in [0, cap]."""
    retry = Retry(3, 1, 10, shape=shape, uniform=lambda _low, _high: stray)

    assert 0 <= retry.delay_s(2, 1.0) <= 10


@given(st.integers(1, 6), st.one_of(st.none(), st.integers(1, 8)))
def test_calls_and_sleeps_are_counted_exactly(attempts: int, first_success: int | None) -> None:
    """There are as many calls as needed or allowed, and one sleep between each two."""
    slept: list[float] = []
    made = 0

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await trio.lowlevel.checkpoint()

    async def fn() -> int:
        nonlocal made
        made += 1
        await trio.lowlevel.checkpoint()
        if made != first_success:
            raise OSError(made)
        return made

    async def main() -> None:
        retry = Retry(attempts, 1, 10, sleep=sleep)
        if first_success is None or first_success > attempts:
            with pytest.raises(RetryExhausted):
                await retry.call(fn)
        else:
            assert first_success == await retry.call(fn)

    trio.run(main)

    assert calls(first_success, attempts) == made
    assert [min(10.0, 2.0**n) for n in range(sleeps(made))] == slept


def test_the_last_error_is_the_cause(run: Run) -> None:
    """Whoever reads the traceback sees what finally went wrong."""

    async def fn() -> None:
        await trio.lowlevel.checkpoint()
        raise OSError("no route")

    async def main() -> None:
        with pytest.raises(RetryExhausted) as caught:
            await Retry(3, 1, 10).call(fn)
        assert isinstance(caught.value.__cause__, OSError)
        assert trio.current_time() == 3.0

    run(main)


def test_an_error_that_is_not_retryable_propagates_at_once(run: Run) -> None:
    """A mistake is not tried again, and reaches the caller as it is."""

    async def fn() -> None:
        await trio.lowlevel.checkpoint()
        raise KeyError("typo")

    async def main() -> None:
        with pytest.raises(KeyError):
            await Retry(3, 1, 10).call(fn, retryable=lambda error: isinstance(error, OSError))
        assert trio.current_time() == 0.0

    run(main)


def test_cancellation_ends_a_retry_at_once(run: Run) -> None:
    """A caller that gives up never waits for the rest of a backoff."""

    async def fn() -> None:
        await trio.lowlevel.checkpoint()
        raise OSError

    async def main() -> None:
        with trio.move_on_after(5) as scope:
            await Retry(3, 60, 60).call(fn)
        assert scope.cancelled_caught
        assert trio.current_time() == 5.0

    run(main)


@pytest.mark.parametrize(
    "settings",
    [
        {"attempts": 0},
        {"attempts": 1.5},
        {"attempts": True},
        {"base_s": -1},
        {"base_s": math.nan},
        {"cap_s": math.inf},
        {"shape": "cubic"},
    ],
)
def test_illegal_settings_are_refused_with_the_legal_range(settings: dict[str, Any]) -> None:
    """A wrong setting is named when the schedule is built, not when it is used."""
    with pytest.raises(PlanError, match="must be"):
        Retry(**({"attempts": 3, "base_s": 1, "cap_s": 10} | settings))


def test_a_count_below_one_is_refused() -> None:
    """There is no delay before the first failure."""
    with pytest.raises(PlanError, match="i must be a whole number >= 1, got 0"):
        Retry(3, 1, 10).delay_s(0)
