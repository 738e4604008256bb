"""AimdThrottle: any legal settings, any course of successes and refusals, equal to the model."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chaoscheck import ChaosMachine, PlanError, initialize, invariant, rule
from chaoscheck.components.aimd_throttle import AimdThrottle
from chaoscheck.subjects.chosen import build as build_subject
from models.aimd import AimdEvent, AimdRules, aimd_history, recovered
from properties.refusals import names_the_setting_at_fault

MILLISECONDS = st.floats(0, 1e6)
NUMBERS = MILLISECONDS | st.sampled_from([-1.0, math.nan, math.inf, -math.inf, 0.0, 1.0, 0.5, 50.0])

# Round numbers, close enough to each other that a few events meet every limit.
ROUND = st.builds(
    AimdRules,
    min_ms=st.sampled_from([0.0, 10.0, 100.0]),
    max_ms=st.sampled_from([5000.0, 200.0, 1e6]),
    multiplier=st.sampled_from([2.0, 1.5, 3.0, 1.1, 1e300]),
    step_ms=st.sampled_from([50.0, 30.0, 100.0, 0.25, 0.0]),
)
ANY = st.builds(
    AimdRules,
    min_ms=MILLISECONDS,
    max_ms=MILLISECONDS,
    multiplier=st.floats(1, 100, exclude_min=True),
    step_ms=MILLISECONDS,
)
SETTINGS = st.one_of(ROUND, ROUND, ANY).filter(lambda settings: settings.legal)


class AimdCourse(ChaosMachine):
    """One throttle lives through successes and refusals."""

    throttle_type: ClassVar[type[AimdThrottle] | None] = None  # a twin's; else the subject chosen

    @initialize(settings=SETTINGS)
    def build(self, settings: AimdRules) -> None:
        """A throttle with these settings has seen nothing yet."""
        self.aimd = settings
        subject = partial(build_subject, "aimd_throttle", self.world)
        self.throttle = throttle_with(settings, self.throttle_type or subject)
        self.events: list[AimdEvent] = []
        self.waited_ms = 0.0
        # The delay after the last refusal, and the successes since.
        self.refused_ms = settings.min_ms
        self.successes = 0

    @rule(count=st.integers(1, 9))
    def refused(self, count: int) -> None:
        """The provider is out of capacity, so many times in a row."""
        for _ in range(count):
            self.throttle.on_capacity_error()
        self.events += ["capacity_error"] * count
        self.refused_ms, self.successes = self.throttle.current_delay_ms, 0

    @rule(count=st.integers(1, 9))
    def succeeds(self, count: int) -> None:
        """So many answers come in a row."""
        for _ in range(count):
            self.throttle.on_success()
        self.events += ["success"] * count
        self.successes += count

    @rule()
    def waits(self) -> None:
        """A query waits for as long as it is told."""
        self.waited_ms += self.throttle.current_delay_ms
        self.throttle.record_wait(self.throttle.current_delay_ms)

    @invariant()
    def the_delay_stays_within_its_limits(self) -> None:
        """min <= d <= max, whatever comes."""
        assert self.aimd.min_ms <= self.throttle.current_delay_ms <= self.aimd.max_ms

    @invariant()
    def the_throttle_equals_its_model(self) -> None:
        """Delay and statistics are those of the step function, to the last bit."""
        expected = aimd_history(self.events, self.aimd)
        stats = self.throttle.stats()
        assert expected.delay_ms == self.throttle.current_delay_ms == stats.current_delay_ms
        assert expected.peak_ms == stats.peak_delay_ms
        assert (expected.capacity_errors, expected.successes) == (
            stats.capacity_retries,
            stats.successes,
        )

    @invariant()
    def successes_alone_bring_the_delay_down_step_by_step(self) -> None:
        """After k successes with no refusal between, d = max(min, d0 - k * step)."""
        expected = recovered(self.refused_ms, self.successes, self.aimd)
        # Many small steps round otherwise than one large one.
        assert self.throttle.current_delay_ms == pytest.approx(expected, rel=1e-9, abs=1e-6)

    @invariant()
    def all_waiting_is_added_up(self) -> None:
        """Nothing that was waited is forgotten."""
        assert self.waited_ms == self.throttle.stats().total_throttle_time_ms


def throttle_with(settings: AimdRules, make: Callable[..., Any] = AimdThrottle) -> Any:
    """A throttle with the settings of the model."""
    return make(
        min_dispatch_delay_ms=settings.min_ms,
        max_dispatch_delay_ms=settings.max_ms,
        backoff_multiplier=settings.multiplier,
        recovery_step_ms=settings.step_ms,
    )


@example(AimdRules(min_ms=-1.0))
@example(AimdRules(min_ms=6000.0, step_ms=0.0))
@example(AimdRules(min_ms=10.0, max_ms=9.0, step_ms=0.0))
@example(AimdRules(max_ms=math.nan))
@example(AimdRules(multiplier=1.0))
@example(AimdRules(multiplier=math.nan))
@example(AimdRules(step_ms=-1.0, min_ms=1.0))
@example(AimdRules(step_ms=0.0))
@example(AimdRules(step_ms=0.5))
@example(AimdRules(step_ms=5001.0))
@example(AimdRules(step_ms=5000.0))
@example(AimdRules(min_ms=5000.0))
@given(st.builds(AimdRules, min_ms=NUMBERS, max_ms=NUMBERS, multiplier=NUMBERS, step_ms=NUMBERS))
def test_exactly_the_illegal_settings_are_refused(settings: AimdRules) -> None:
    """A throttle that could not work is never built, and the error shows the value at fault."""
    if settings.legal:
        assert settings.min_ms == throttle_with(settings).current_delay_ms
        return
    with pytest.raises(PlanError) as refusal:
        throttle_with(settings)
    if "got 0 for both" not in str(refusal.value):
        assert names_the_setting_at_fault(refusal.value, _by_name(settings))
    else:
        assert settings.min_ms == settings.step_ms == 0


def test_the_settings_that_nobody_names_are_those_of_the_model() -> None:
    """Defaults are promises, too."""
    defaults, throttle = AimdRules(), AimdThrottle()
    for _ in range(12):
        throttle.on_capacity_error()
    throttle.on_success()

    events: list[AimdEvent] = ["capacity_error"] * 12
    expected = aimd_history([*events, "success"], defaults)
    assert expected.delay_ms == throttle.current_delay_ms
    assert expected.peak_ms == throttle.stats().peak_delay_ms == defaults.max_ms
    assert _by_name(defaults) == {name: getattr(throttle, name) for name in _by_name(defaults)}


@example(-1.0)
@example(-5e-324)
@example(math.nan)
@example(math.inf)
@example(0.0)
@given(NUMBERS)
def test_a_wait_is_a_finite_time_from_zero_up(waited_ms: float) -> None:
    """Whatever else is said to have been waited is refused, and adds nothing to the total."""
    throttle = AimdThrottle()
    throttle.record_wait(2.0)
    if 0 <= waited_ms < math.inf:
        throttle.record_wait(waited_ms)
        assert 2.0 + waited_ms == throttle.stats().total_throttle_time_ms
        return
    with pytest.raises(PlanError) as refusal:
        throttle.record_wait(waited_ms)
    assert names_the_setting_at_fault(refusal.value, {"waited_ms": waited_ms})
    assert throttle.stats().total_throttle_time_ms == 2.0


def _by_name(settings: AimdRules) -> dict[str, float]:
    """The settings under the names that a throttle gives them."""
    return {
        "min_dispatch_delay_ms": settings.min_ms,
        "max_dispatch_delay_ms": settings.max_ms,
        "backoff_multiplier": settings.multiplier,
        "recovery_step_ms": settings.step_ms,
    }


TestAimdThrottle = AimdCourse.TestCase
