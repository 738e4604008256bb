"""AimdThrottle: any legal settings, any course of successes and refusals, equal to the model."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck import ChaosMachine, PlanError, initialize, invariant, rule
from chaoscheck.components.aimd_throttle import AimdThrottle
from chaoscheck.subjects.chosen import build as build_subject
from models.aimd import AimdEvent, AimdRules, aimd_history, recovered

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


@given(st.builds(AimdRules, min_ms=NUMBERS, max_ms=NUMBERS, multiplier=NUMBERS, step_ms=NUMBERS))
def test_exactly_the_illegal_settings_are_refused(settings: AimdRules) -> None:
    """A throttle that could not work is never built, and the error shows the value at fault."""
    if settings.legal:
        assert settings.min_ms == throttle_with(settings).current_delay_ms
        return
    with pytest.raises(PlanError) as refusal:
        throttle_with(settings)
    values = (settings.min_ms, settings.max_ms, settings.multiplier, settings.step_ms)
    assert any(f"got {value!r}" in str(refusal.value) for value in (*values, 0))


TestAimdThrottle = AimdCourse.TestCase
