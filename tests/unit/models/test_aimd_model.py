"""The AIMD model says what its closed form says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.aimd import AimdEvent, AimdRules, aimd_history, aimd_step, recovered

RULES = st.builds(
    AimdRules,
    min_ms=st.integers(0, 40).map(float),
    max_ms=st.integers(60, 900).map(float),
    multiplier=st.sampled_from([1.5, 2.0, 3.0]),
    step_ms=st.integers(1, 60).map(float),
)


@given(RULES, st.integers(0, 20), st.integers(0, 30))
def test_stepping_down_equals_the_closed_form(
    rules: AimdRules, errors: int, successes: int
) -> None:
    """After k successes the delay is max(min, d - k * step)."""
    events: list[AimdEvent] = ["capacity_error"] * errors
    before = aimd_history(events, rules)
    events += ["success"] * successes
    after = aimd_history(events, rules)

    assert recovered(before.delay_ms, successes, rules) == after.delay_ms
    assert before.peak_ms == after.peak_ms


def test_the_first_error_leads_to_the_floor_and_the_next_multiply() -> None:
    """With the defaults: 0, 50, 100, ... up to 5000 ms."""
    rules = AimdRules()
    delays = [0.0]
    for _ in range(9):
        delays.append(aimd_step(delays[-1], "capacity_error", rules))

    assert delays == [0, 50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]


def test_settings_without_growth_or_room_are_illegal() -> None:
    """The model knows which throttles may exist."""
    assert AimdRules().legal
    assert not AimdRules(multiplier=1.0).legal
    assert not AimdRules(min_ms=0, step_ms=0).legal
    assert not AimdRules(max_ms=10).legal
    assert not AimdRules(min_ms=-1).legal
    assert not AimdRules(max_ms=float("nan")).legal
