"""AimdThrottle against its model, its refusals and its statistics."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.components.aimd_throttle import AimdThrottle
from chaoscheck.errors import PlanError
from models.aimd import AimdEvent, AimdRules, aimd_history, recovered

EVENTS = st.lists(st.sampled_from(["capacity_error", "success"]), max_size=40)
NUMBERS = st.one_of(
    st.sampled_from([0.0, 1.0, 2.0, 50.0, 5000.0, -1.0, math.nan, math.inf]),
    st.floats(0, 1e6),
)
RULES = st.builds(AimdRules, min_ms=NUMBERS, max_ms=NUMBERS, multiplier=NUMBERS, step_ms=NUMBERS)


def throttle_of(rules: AimdRules) -> AimdThrottle:
    """A throttle with the settings of ``rules``."""
    return AimdThrottle(
        min_dispatch_delay_ms=rules.min_ms,
        max_dispatch_delay_ms=rules.max_ms,
        backoff_multiplier=rules.multiplier,
        recovery_step_ms=rules.step_ms,
    )


def play(throttle: AimdThrottle, events: list[AimdEvent]) -> None:
    """Tell the throttle all ``events``."""
    for event in events:
        if event == "success":
            throttle.on_success()
        else:
            throttle.on_capacity_error()


@given(RULES, EVENTS)
def test_the_delay_equals_the_model_after_every_event(
    rules: AimdRules, events: list[AimdEvent]
) -> None:
    """The delay is what the law says, stays within its limits, and bad settings are refused."""
    if not rules.legal:
        with pytest.raises(PlanError):
            throttle_of(rules)
        return
    throttle = throttle_of(rules)
    for count, event in enumerate(events, start=1):
        play(throttle, [event])

        assert aimd_history(events[:count], rules).delay_ms == throttle.current_delay_ms
        assert rules.min_ms <= throttle.current_delay_ms <= rules.max_ms


@given(EVENTS)
def test_the_statistics_count_what_happened(events: list[AimdEvent]) -> None:
    """An operator reads from the statistics how often and how hard the provider refused."""
    throttle = AimdThrottle()
    play(throttle, events)
    history = aimd_history(events, AimdRules())
    stats = throttle.stats()

    assert history.capacity_errors == stats.capacity_retries
    assert history.successes == stats.successes
    assert history.peak_ms == stats.peak_delay_ms
    assert history.delay_ms == stats.current_delay_ms


@given(st.integers(1, 12), st.integers(0, 60))
def test_successes_alone_bring_the_delay_down_step_by_step(errors: int, successes: int) -> None:
    """A provider that recovers is used faster again, one step per answer."""
    throttle = AimdThrottle()
    play(throttle, ["capacity_error"] * errors)
    start_ms = throttle.current_delay_ms
    play(throttle, ["success"] * successes)

    assert recovered(start_ms, successes, AimdRules()) == throttle.current_delay_ms


def test_a_fresh_throttle_waits_the_minimum() -> None:
    """Before any refusal nothing is slowed down beyond the set minimum."""
    assert AimdThrottle(min_dispatch_delay_ms=7).current_delay_ms == 7


def test_time_waited_adds_up() -> None:
    """The total of time spent waiting is what was reported."""
    throttle = AimdThrottle()
    throttle.record_wait(50)
    throttle.record_wait(100.5)

    assert throttle.stats().total_throttle_time_ms == 150.5


def test_a_negative_wait_is_refused() -> None:
    """Time never runs backwards, so a negative wait is a mistake of the caller."""
    with pytest.raises(PlanError, match=r">= 0, got -1"):
        AimdThrottle().record_wait(-1)


@pytest.mark.parametrize("multiplier", [1.0, 0.5, math.inf, math.nan])
def test_a_multiplier_that_cannot_slow_down_is_refused(multiplier: float) -> None:
    """The message shows the value and what is legal."""
    with pytest.raises(PlanError, match=r"backoff_multiplier must be a finite number > 1"):
        AimdThrottle(backoff_multiplier=multiplier)


def test_no_minimum_and_no_step_is_refused() -> None:
    """With both at zero the delay could never grow."""
    with pytest.raises(PlanError, match="must be > 0, got 0 for both"):
        AimdThrottle(min_dispatch_delay_ms=0, recovery_step_ms=0)


def test_a_step_beyond_the_maximum_is_refused() -> None:
    """The first delay after a refusal must fit below the maximum."""
    with pytest.raises(PlanError, match="recovery_step_ms must be <= max_dispatch_delay_ms"):
        AimdThrottle(max_dispatch_delay_ms=10, recovery_step_ms=50)
