"""Wrong retry schedules. The law: laws of C, Retry."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import trio

from chaoscheck.components.retry import Retry, RetryExhausted
from properties.test_retry import RetryCourse
from tests.quality.planted_bug import PlantedBug

__all__ = ["RETRY_BUGS"]

Fn = Callable[[], Awaitable[Any]]
Judge = Callable[[Exception], bool]


class JittersBeyondTheCap(Retry):
    """Breaks "0 <= delay <= cap including jitter": the jitter comes after the cap."""

    def _capped_s(self, delay_s: float) -> float:
        capped_s = min(self.cap_s, delay_s)
        return capped_s + self._uniform(0.0, capped_s / 4)


class Overflows(Retry):
    """Breaks "no overflow at any i": a power of two as a float."""

    def _exponential_s(self, i: int) -> float:
        return self.base_s * math.pow(2.0, i - 1)


class CallsOnceMore(Retry):
    """Breaks "calls = min(first success, attempts)": ``attempts`` counts the retries."""

    async def call(self, fn: Fn, *, retryable: Judge = lambda _error: True) -> Any:
        more = Retry(
            self.attempts + 1, self.base_s, self.cap_s, shape=self.shape,
            uniform=self._uniform, sleep=self._sleep,
        )  # fmt: skip
        return await more.call(fn, retryable=retryable)


class SleepsBeforeGivingUp(Retry):
    """Breaks "sleeps = calls - 1": it backs off after the last failure too."""

    async def call(self, fn: Fn, *, retryable: Judge = lambda _error: True) -> Any:
        try:
            return await super().call(fn, retryable=retryable)
        except RetryExhausted:
            await self._sleep(self.delay_s(self.attempts))
            raise


class HidesTheCause(Retry):
    """Breaks "the cause is chained": the last failure is left out."""

    async def call(self, fn: Fn, *, retryable: Judge = lambda _error: True) -> Any:
        try:
            return await super().call(fn, retryable=retryable)
        except RetryExhausted as error:
            raise RetryExhausted(str(error)) from None


class FinishesItsSleep(Retry):
    """Breaks "cancellation ends it at once": nothing interrupts a backoff."""

    async def call(self, fn: Fn, *, retryable: Judge = lambda _error: True) -> Any:
        async def sleep(seconds: float) -> None:
            with trio.CancelScope(shield=True):
                await self._sleep(seconds)

        shielded = Retry(
            self.attempts, self.base_s, self.cap_s, shape=self.shape,
            uniform=self._uniform, sleep=sleep,
        )  # fmt: skip
        return await shielded.call(fn, retryable=retryable)


class PausesAsWell(Retry):
    """Breaks "d_i = min(cap, base * 2^(i-1))": a fixed pause is added to every delay."""

    async def call(self, fn: Fn, *, retryable: Judge = lambda _error: True) -> Any:
        async def sleep(seconds: float) -> None:
            await self._sleep(seconds)
            await trio.sleep(0.1)

        pausing = Retry(
            self.attempts, self.base_s, self.cap_s, shape=self.shape,
            uniform=self._uniform, sleep=sleep,
        )  # fmt: skip
        return await pausing.call(fn, retryable=retryable)


class KeepsItsTurn(Retry):
    """Breaks "calls = min(first success, attempts)": one call at a time, and a mistake blocks."""

    turn: trio.Semaphore | None = None

    async def call(self, fn: Fn, *, retryable: Judge = lambda _error: True) -> Any:
        self.turn = self.turn or trio.Semaphore(1)
        await self.turn.acquire()
        value = await super().call(fn, retryable=retryable)
        self.turn.release()
        return value


class JittersBeyondTheCapCourse(RetryCourse):
    """Calls with the late jitter."""

    retry_type: ClassVar[type[Retry]] = JittersBeyondTheCap


class OverflowsCourse(RetryCourse):
    """Calls with the float power."""

    retry_type: ClassVar[type[Retry]] = Overflows


class CallsOnceMoreCourse(RetryCourse):
    """Calls with one attempt too many."""

    retry_type: ClassVar[type[Retry]] = CallsOnceMore


class SleepsBeforeGivingUpCourse(RetryCourse):
    """Calls that fail late."""

    retry_type: ClassVar[type[Retry]] = SleepsBeforeGivingUp


class HidesTheCauseCourse(RetryCourse):
    """Calls that fail without a cause."""

    retry_type: ClassVar[type[Retry]] = HidesTheCause


class FinishesItsSleepCourse(RetryCourse):
    """Calls that cannot be cancelled while they sleep."""

    retry_type: ClassVar[type[Retry]] = FinishesItsSleep


class PausesAsWellCourse(RetryCourse):
    """Calls that come late."""

    retry_type: ClassVar[type[Retry]] = PausesAsWell


class KeepsItsTurnCourse(RetryCourse):
    """Calls that wait for each other, and for one that is gone."""

    retry_type: ClassVar[type[Retry]] = KeepsItsTurn


RETRY_BUGS: tuple[PlantedBug, ...] = (
    PlantedBug(
        name="retry-jitter-beyond-the-cap",
        what="Jitter is added after the cap was applied.",
        machine=JittersBeyondTheCapCourse,
        sound=RetryCourse,
        laws=("every_delay_is_lawful_jitter_included",),
        # Build, and ask for one delay whose jitter is at the high end.
        smallest_known_steps=2,
        shows=("jitter=[1.0]",),
    ),
    PlantedBug(
        name="retry-overflows",
        what="A large count raises OverflowError.",
        machine=OverflowsCourse,
        sound=RetryCourse,
        laws=("OverflowError",),
        # Build, and ask for delay 1025.
        smallest_known_steps=2,
        shows=("i=1025",),
    ),
    PlantedBug(
        name="retry-one-call-too-many",
        what="The count of attempts is taken for a count of retries.",
        machine=CallsOnceMoreCourse,
        sound=RetryCourse,
        laws=("no_call_is_made_beyond_the_first_success_or_the_count",),
        # Build with one attempt, call with one failure; the end lets time pass.
        smallest_known_steps=2,
        shows=("fails=1",),
    ),
    PlantedBug(
        name="retry-sleeps-before-giving-up",
        what="The caller learns of the last failure only after one more backoff.",
        machine=SleepsBeforeGivingUpCourse,
        sound=RetryCourse,
        laws=("it_sleeps_once_between_two_calls",),
        # Build with one attempt, call with one failure; the end lets time pass.
        smallest_known_steps=2,
        shows=("fails=1",),
    ),
    PlantedBug(
        name="retry-hides-the-cause",
        what="RetryExhausted is raised without the failure that led to it.",
        machine=HidesTheCauseCourse,
        sound=RetryCourse,
        laws=("whoever_calls_learns_what_happened",),
        # Build with one attempt, call with one failure; the end lets time pass.
        smallest_known_steps=2,
        shows=("fails=1",),
    ),
    PlantedBug(
        name="retry-sleeps-on-when-cancelled",
        what="A cancelled call finishes its backoff first.",
        machine=FinishesItsSleepCourse,
        sound=RetryCourse,
        laws=("a_cancelled_call_ends_at_once",),
        # Build, call with one failure, cancel it at the checkpoint at which it sleeps.
        smallest_known_steps=3,
        shows=(".cancel",),
    ),
    PlantedBug(
        name="retry-pauses-as-well",
        what="Every delay is longer by a fixed pause.",
        machine=PausesAsWellCourse,
        sound=RetryCourse,
        laws=("the_next_call_starts_when_the_delay_has_passed",),
        # Build, call with one failure; the end lets time pass.
        smallest_known_steps=2,
        shows=("fails=1",),
    ),
    PlantedBug(
        name="retry-keeps-its-turn",
        what="A call that ends with an error blocks all later ones for ever.",
        machine=KeepsItsTurnCourse,
        sound=RetryCourse,
        laws=("every_call_comes_to_an_end",),
        # Build, a call that fails for good, another call.
        smallest_known_steps=3,
        shows=("state.call(",),
    ),
)
