"""Wrong throttles. The law: laws of A, AimdThrottle."""

from __future__ import annotations

from typing import ClassVar

from chaoscheck.components.aimd_throttle import AimdThrottle
from properties.test_aimd_throttle import AimdCourse
from tests.quality.planted_bug import PlantedBug

__all__ = ["AIMD_BUGS"]


class Unbounded(AimdThrottle):
    """Breaks "d = f if d < f, else min(max, d * multiplier)": there is no maximum."""

    def _backed_off_ms(self, delay_ms: float) -> float:
        return max(self._floor_ms(), delay_ms * self.backoff_multiplier)


class RestartsBelowTheFloor(AimdThrottle):
    """Breaks "d = f if d < f": a delay that has not quite recovered is multiplied as it is."""

    def _backed_off_ms(self, delay_ms: float) -> float:
        if delay_ms == self.min_dispatch_delay_ms:
            return super()._backed_off_ms(delay_ms)
        return min(self.max_dispatch_delay_ms, delay_ms * self.backoff_multiplier)


class RecoversByHalves(AimdThrottle):
    """Breaks "Success: d = max(min, d - step)": a success halves the delay."""

    def _recovered_ms(self, delay_ms: float) -> float:
        return max(self.min_dispatch_delay_ms, delay_ms / 2)


class RemembersTheLastWait(AimdThrottle):
    """Breaks "Stats: ..., total_throttle_time_ms": a wait replaces the one before."""

    def record_wait(self, waited_ms: float) -> None:
        self._waited_ms = waited_ms


class UnboundedCourse(AimdCourse):
    """The throttle without a maximum."""

    throttle_type: ClassVar[type[AimdThrottle]] = Unbounded


class RestartsBelowTheFloorCourse(AimdCourse):
    """The throttle that multiplies a delay below the floor."""

    throttle_type: ClassVar[type[AimdThrottle]] = RestartsBelowTheFloor


class RecoversByHalvesCourse(AimdCourse):
    """The throttle that recovers too fast."""

    throttle_type: ClassVar[type[AimdThrottle]] = RecoversByHalves


class RemembersTheLastWaitCourse(AimdCourse):
    """The throttle that forgets what was waited."""

    throttle_type: ClassVar[type[AimdThrottle]] = RemembersTheLastWait


AIMD_BUGS: tuple[PlantedBug, ...] = (
    PlantedBug(
        name="aimd-unbounded",
        what="Refusals multiply the delay beyond its maximum.",
        machine=UnboundedCourse,
        sound=AimdCourse,
        laws=("the_delay_stays_within_its_limits",),
        # Build, and refuse eight times in a row: 50 ms, doubled seven times, is above 5 s.
        smallest_known_steps=2,
        shows=("state.refused(count=",),
    ),
    PlantedBug(
        name="aimd-restarts-from-the-wrong-floor",
        what="A refusal before full recovery starts from the rest of the delay, not the floor.",
        machine=RestartsBelowTheFloorCourse,
        sound=AimdCourse,
        laws=("the_throttle_equals_its_model",),
        budget=300,
        # Build with a multiplier below 2, refuse twice, succeed once, refuse.
        smallest_known_steps=4,
        shows=("state.succeeds(count=", "state.refused(count="),
    ),
    PlantedBug(
        name="aimd-recovers-by-halves",
        what="Each success halves the delay instead of taking one step off it.",
        machine=RecoversByHalvesCourse,
        sound=AimdCourse,
        laws=("successes_alone_bring_the_delay_down_step_by_step",),
        # Build, refuse once, succeed once: 25 ms instead of 0.
        smallest_known_steps=3,
        shows=("state.succeeds(count=1)",),
    ),
    PlantedBug(
        name="aimd-forgets-waits",
        what="The total of throttle time is the last wait alone.",
        machine=RemembersTheLastWaitCourse,
        sound=AimdCourse,
        laws=("all_waiting_is_added_up",),
        # Build with a minimum above 0, and wait twice.
        smallest_known_steps=3,
        shows=("state.waits()",),
    ),
)
