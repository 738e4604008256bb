"""The model of retry delays against naive computation and known values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.retry_delays import Shape, calls, delay_bounds_s, fibonacci, lawful_delay, sleeps


def test_fibonacci_by_doubling_equals_adding_up() -> None:
    """F(1) = F(2) = 1, and each further one is the sum of the two before."""
    numbers = [1, 1]
    while len(numbers) < 100:
        numbers.append(numbers[-1] + numbers[-2])

    assert numbers == [fibonacci(n) for n in range(1, 101)]


@pytest.mark.parametrize(
    ("shape", "bounds"),
    [
        ("exponential", (4.0, 4.0)),
        ("linear", (1.5, 1.5)),
        ("fibonacci", (1.0, 1.0)),
        ("decorrelated", (0.5, 6.0)),
        ("full", (0.0, 4.0)),
    ],
)
def test_the_bounds_of_each_shape(shape: Shape, bounds: tuple[float, float]) -> None:
    """For a base of 0.5 s; the exponential one is asked for the fourth delay."""
    i = 4 if shape in ("exponential", "full") else 3

    assert bounds == delay_bounds_s(shape, i, base_s=0.5, cap_s=60, previous_s=2.0)


@given(
    st.sampled_from(["exponential", "linear", "fibonacci", "decorrelated", "full"]),
    st.integers(1, 10**9),
    st.floats(0, 1e300),
    st.floats(0, 1e300),
)
def test_no_bound_is_beyond_the_cap(shape: Shape, i: int, base_s: float, cap_s: float) -> None:
    """The cap holds for every shape at every count."""
    low, high = delay_bounds_s(shape, i, base_s=base_s, cap_s=cap_s)

    assert 0 <= low <= high <= cap_s


def test_a_delay_beyond_the_cap_is_unlawful_however_little() -> None:
    """The cap has no tolerance."""
    assert lawful_delay(10.0, "exponential", 9, base_s=1, cap_s=10)
    assert not lawful_delay(10.000000001, "exponential", 9, base_s=1, cap_s=10)


def test_calls_end_at_the_first_success_or_the_last_attempt() -> None:
    """And a schedule sleeps once between each two calls."""
    assert [calls(None, 3), calls(2, 3), calls(9, 3)] == [3, 2, 3]
    assert [sleeps(1), sleeps(3)] == [0, 2]
