"""Retry: calls, sleeps and delays of every shape, several in flight, cancelled anywhere."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Literal, get_args

import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st

from chaoscheck import ChaosMachine, PlanError, VirtualWorld, initialize, invariant, rule
from chaoscheck.components.retry import Retry, RetryExhausted, RetryShape
from chaoscheck.subjects.chosen import build as build_subject
from models.retry_delays import calls, delay_bounds_s, lawful_delay, sleeps
from properties.refusals import names_the_setting_at_fault

SHAPES = st.sampled_from(get_args(RetryShape))
BASES_S = st.sampled_from([1.0, 0.5, 0.1, 0.0, 5e-324, 1e308]) | st.floats(0, 1000)
CAPS_S = st.sampled_from([4.0, 1.0, 60.0, 0.0]) | st.floats(0, 1000)
# Where in its interval each drawn delay lies, in order; at its low end beyond the list.
JITTER = st.lists(st.sampled_from([1.0, 0.0, 0.5]), max_size=4)
COUNTS = st.integers(1, 40) | st.sampled_from([1025, 10**6, 10**18, 10**400])


class Failure(Exception):
    """What a call may be repeated after."""


class Mistake(Exception):
    """What no repetition can help."""


@dataclass(slots=True, kw_only=True)
class Course:
    """One call under the schedule: what it is to do, and what was seen of it (seconds)."""

    fails: int
    then: Literal["succeeds", "is a mistake"]
    takes_s: float
    jitter: list[float]
    started_s: list[float] = field(default_factory=list)
    ended_s: list[float] = field(default_factory=list)
    slept_s: list[float] = field(default_factory=list)
    last_error: Exception | None = None
    #: What its caller learnt; both None while it is in flight, and where it was cancelled.
    value: int | None = None
    error: Exception | None = None

    @property
    def ended(self) -> bool:
        """Whether it came to its own end: neither in flight nor cancelled."""
        return self.value is not None or self.error is not None


# The call under way. A context is what tasks inherit, in trio, in asyncio and across the bridge
# between them; the task itself is another one behind every bridge.
_current: ContextVar[Course | None] = ContextVar("course", default=None)


class RetryCourse(ChaosMachine):
    """One schedule, shared by calls that fail, succeed, break and are cancelled."""

    cancels: ClassVar[bool] = True
    retry_type: ClassVar[type[Retry] | None] = None  # a twin's; else the subject chosen
    recovery_s: ClassVar[float] = 20_000.0  # beyond six delays of the greatest cap

    @initialize(shape=SHAPES, attempts=st.integers(1, 7), base_s=BASES_S, cap_s=CAPS_S)
    def build(self, shape: RetryShape, attempts: int, base_s: float, cap_s: float) -> None:
        """The schedule that all calls share."""
        self.attempts, self.base_s, self.cap_s = attempts, base_s, cap_s
        try:
            self.shape, self.retry = shape, self._make(shape)
        except PlanError:  # a subject need not have every shape
            self.shape, self.retry = "exponential", self._make("exponential")
        self.under_way: list[Course] = []
        # Every delay there was: its count, the delay before it, and itself, in seconds.
        self.delays: list[tuple[int, float, float]] = []
        self.judged = 0

    def _make(self, shape: RetryShape) -> Any:
        make = self.retry_type or partial(build_subject, "retry", self.world)
        return make(
            self.attempts,
            self.base_s,
            self.cap_s,
            shape=shape,
            uniform=self._uniform,
            sleep=self._sleep,
        )

    # ------------------------------------------------------------------ rules

    @rule(
        in_flight=True,
        fails=st.integers(0, 8),
        then=st.sampled_from(["succeeds", "is a mistake"]),
        takes_s=st.sampled_from([0.0, 1.5]),
        jitter=JITTER,
    )
    async def call(
        self,
        fails: int,
        then: Literal["succeeds", "is a mistake"],
        takes_s: float,
        jitter: list[float],
    ) -> None:
        """A call that fails so often before it succeeds or breaks."""
        course = Course(fails=fails, then=then, takes_s=takes_s, jitter=jitter)
        self.under_way.append(course)
        _current.set(course)
        try:
            course.value = await self._call(course)
        except Exception as error:  # whatever it is, a law judges it
            course.error = error

    @rule(seconds=st.integers(1, 120).map(lambda halves: halves / 2))
    def let_time_pass(self, seconds: float) -> None:
        """Calls go on."""
        self.world.advance(seconds)

    @rule(i=COUNTS, previous=st.sampled_from([0.0, 1.0, 0.3]), jitter=JITTER)
    def ask_delay(self, i: int, previous: float, jitter: list[float]) -> None:
        """Which delay follows failure ``i``, after a delay that was this part of the cap."""
        course = Course(fails=0, then="succeeds", takes_s=0.0, jitter=jitter)
        if not hasattr(self.retry, "delay_s"):
            return  # a subject's delays are seen in its calls
        previous_s = previous * self.cap_s
        self.delays.append((i, previous_s, self.world.run(self._ask, course, i, previous_s)))

    # ------------------------------------------------------------------ what the schedule calls

    async def _call(self, course: Course) -> int:
        async def act() -> int:
            course.started_s.append(trio.current_time())
            if len(course.slept_s) < len(course.ended_s):  # it waits by means of its own
                self._note(course, self._measured_s(course.ended_s[-1]))
            await trio.sleep(course.takes_s)
            course.ended_s.append(trio.current_time())
            number = len(course.ended_s)
            if number <= course.fails or course.then == "is a mistake":
                course.last_error = Failure() if number <= course.fails else Mistake()
                raise course.last_error
            return number

        made: int = await self.retry.call(act, retryable=lambda error: isinstance(error, Failure))
        return made

    def _measured_s(self, since_s: float) -> float:
        """A wait as the clock shows it: the cap itself where only rounding lies between."""
        waited_s = trio.current_time() - since_s
        rounding_s = 1e-9 * (1 + trio.current_time())
        return self.cap_s if abs(waited_s - self.cap_s) <= rounding_s else waited_s

    async def _ask(self, course: Course, i: int, previous_s: float) -> float:
        _current.set(course)
        delay_s: float = self.retry.delay_s(i, previous_s)
        return delay_s

    async def _sleep(self, seconds: float) -> None:
        course = _current.get()
        if course is not None:  # else the next call shows how long this wait was
            self._note(course, seconds)
        await trio.sleep(seconds)

    def _note(self, course: Course, seconds: float) -> None:
        before_s = course.slept_s[-1] if course.slept_s else 0.0
        self.delays.append((len(course.slept_s) + 1, before_s, seconds))
        course.slept_s.append(seconds)

    def _uniform(self, low: float, high: float) -> float:
        course = _current.get()
        jitter = [] if course is None else course.jitter
        return low + (high - low) * (jitter.pop(0) if jitter else 0.0)

    # ------------------------------------------------------------------ laws

    @invariant()
    def no_call_is_made_beyond_the_first_success_or_the_count(self) -> None:
        """calls = min(first success, attempts), and a mistake is not repeated."""
        for course in self.under_way:
            expected = calls(course.fails + 1, self.attempts)
            made = len(course.started_s)
            assert made == expected if course.ended else made <= expected

    @invariant()
    def it_sleeps_once_between_two_calls(self) -> None:
        """sleeps = calls - 1: none before the first call, none after the last."""
        for course in self.under_way:
            if course.ended:
                assert sleeps(len(course.started_s)) == len(course.slept_s)

    @invariant()
    def every_delay_is_lawful_jitter_included(self) -> None:
        """In [0, cap], exact where there is no jitter, at any count, each call by itself."""
        fresh, self.judged = self.delays[self.judged :], len(self.delays)
        for i, previous_s, delay_s in fresh:
            assert lawful_delay(
                delay_s,
                self.shape,
                i,
                base_s=self.base_s,
                cap_s=self.cap_s,
                previous_s=previous_s,
            ), f"a delay of {delay_s} s after one of {previous_s} s"

    @invariant()
    def the_next_call_starts_when_the_delay_has_passed(self) -> None:
        """Neither earlier nor later."""
        for course in self.under_way:
            for delay_s, ended_s, started_s in zip(
                course.slept_s, course.ended_s, course.started_s[1:], strict=False
            ):
                assert ended_s + delay_s == pytest.approx(started_s, rel=1e-12, abs=1e-9)

    @invariant()
    def whoever_calls_learns_what_happened(self) -> None:
        """The value, the mistake itself, or an error whose cause is the last failure."""
        for course in self.under_way:
            if not course.ended:
                continue
            error = course.error
            if course.fails >= self.attempts:
                assert error is not None
                assert error.__cause__ is course.last_error
            elif course.then == "is a mistake":
                assert error is course.last_error
            else:
                assert course.fails + 1 == course.value

    @invariant()
    def a_cancelled_call_ends_at_once(self) -> None:
        """Asleep, in a call or about to begin: no time passes between giving up and being free."""
        calls_left = self.world.in_flight()
        assert [] == [call for call in calls_left if call.cancelling and call.cancel_if_due()]

    @invariant(healed=True)
    def every_call_comes_to_an_end(self) -> None:
        """A schedule is finite."""
        assert self.world.in_flight() == []


# ---------------------------------------------------------------------- the schedule by itself

#: Delays before the one that is asked for, as parts of the cap.
PREVIOUS = st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0])


@pytest.mark.parametrize("shape", get_args(RetryShape))
def test_each_delay_is_exact_at_both_ends_of_its_interval(shape: RetryShape) -> None:
    """The first delays of every shape, below the cap and at it, drawn lowest and highest."""
    for i in (*range(1, 15), 100, 2000):
        for base_s, cap_s in ((1.0, 1e4), (0.5, 2.0), (3.0, 2.0), (0.0, 5.0), (5e-324, 1e308)):
            for previous in (0.0, 0.25, 0.5, 1.0):
                _require_exact_ends(shape, i, (base_s, cap_s), previous * cap_s)


@given(SHAPES, COUNTS, BASES_S, CAPS_S, PREVIOUS)
def test_delays_are_exact_at_both_ends_for_any_settings(
    shape: RetryShape, i: int, base_s: float, cap_s: float, previous: float
) -> None:
    """The interval from which a delay is drawn is the model's, for any count however large."""
    _require_exact_ends(shape, i, (base_s, cap_s), previous * cap_s)


def _require_exact_ends(
    shape: RetryShape, i: int, limits_s: tuple[float, float], previous_s: float
) -> None:
    base_s, cap_s = limits_s
    ends = delay_bounds_s(shape, i, base_s=base_s, cap_s=cap_s, previous_s=previous_s)
    asked: list[tuple[float, float]] = []

    for expected_s, choose in zip(ends, (min, max), strict=True):

        def chance(low: float, high: float, choose: Any = choose) -> float:
            asked.append((low, high))
            return float(choose(low, high))

        schedule = Retry(1, base_s, cap_s, shape=shape, uniform=chance)
        delay_s = schedule.delay_s(i, previous_s)
        assert delay_s == pytest.approx(expected_s, rel=1e-12), f"{shape}, i={i}, {limits_s}"
        assert 0 <= delay_s <= cap_s
    for interval in asked:  # no chance is spent beyond the cap
        assert interval == pytest.approx(ends, rel=1e-12)
    if previous_s == 0.0:
        assert Retry(1, base_s, cap_s, shape=shape, uniform=max).delay_s(i) == delay_s


@pytest.mark.parametrize(
    "error", [Failure(), Mistake(), TimeoutError("late"), ExceptionGroup("", [Failure()])]
)
def test_unless_told_otherwise_every_error_is_worth_another_call(error: Exception) -> None:
    """Without ``retryable`` a call is repeated after any Exception, after the default wait."""
    started_s: list[float] = []

    async def act() -> str:
        started_s.append(trio.current_time())
        if len(started_s) < 3:
            raise error
        return "done"

    with VirtualWorld() as world:
        assert world.run(Retry(3, 1.0, 60.0).call, act) == "done"
    assert [0.0, 1.0, 3.0] == started_s


def test_what_is_no_exception_ends_a_call_at_once() -> None:
    """A KeyboardInterrupt in a call is not repeated, and neither is what follows the last one."""
    made: list[int] = []

    async def act() -> None:
        made.append(len(made))
        raise KeyboardInterrupt

    with VirtualWorld() as world, pytest.raises(KeyboardInterrupt):
        world.run(Retry(3, 1.0, 60.0).call, act)
    assert [0] == made


@pytest.mark.parametrize("attempts", [1, 2, 4])
def test_a_used_up_schedule_says_how_often_and_why(attempts: int) -> None:
    """The error of an exhausted schedule is RetryExhausted and names the number of calls."""

    async def act() -> None:
        raise Failure("no luck")

    with VirtualWorld() as world, pytest.raises(RetryExhausted) as exhausted:
        world.run(Retry(attempts, 2.0, 60.0).call, act)
    assert f"all {attempts} attempts" in str(exhausted.value)
    assert "no luck" in str(exhausted.value)
    assert isinstance(exhausted.value.__cause__, Failure)


@pytest.mark.parametrize("i", [0, -1, True, 1.0])
def test_no_delay_follows_what_is_no_failure(i: int) -> None:
    """Failures are counted from 1, and the error says so."""
    with pytest.raises(PlanError, match=rf"^i must be a whole number >= 1, got {i!r}$"):
        Retry(3, 1.0, 60.0).delay_s(i)


def test_a_fibonacci_delay_of_nothing_is_nothing_at_once() -> None:
    """However many failures there were: no number of a billion digits is computed for it."""
    assert Retry(3, 0.0, 60.0, shape="fibonacci").delay_s(10**9) == 0.0


def test_the_first_delay_of_a_call_has_none_before_it() -> None:
    """A decorrelated delay draws between the base and three times the one before."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def fail() -> None:
        raise LookupError

    retry = Retry(4, 0.25, 1.5, shape="decorrelated", uniform=lambda low, high: high, sleep=sleep)
    with VirtualWorld() as world, pytest.raises(RetryExhausted):
        world.run(retry.call, fail)

    assert slept == [0.25, 0.75, 1.5]


def test_an_unknown_shape_is_refused() -> None:
    """The error names the legal ones."""
    with pytest.raises(PlanError, match=r"shape must be one of .*'fibonacci'.*, got 'quadratic'"):
        Retry(3, 1.0, 60.0, shape="quadratic")  # type: ignore[arg-type]


@example(1, 0, 0)
@example(1, 1.0, 0)
@example(0, 1.0, 1.0)
@example(1, -1.0, 1.0)
@example(1, 1.0, -1.0)
@given(
    st.sampled_from([0, -1, 1, 3, 10**9]) | st.integers(),
    BASES_S | st.floats(),
    CAPS_S | st.floats(),
)
def test_exactly_the_illegal_settings_are_refused(
    attempts: int, base_s: float, cap_s: float
) -> None:
    """A schedule that could not work is never built, and the error shows the value at fault."""
    infinity = float("inf")
    if attempts >= 1 and 0 <= base_s < infinity and 0 <= cap_s < infinity:
        assert 0 <= Retry(attempts, base_s, cap_s).delay_s(1) <= cap_s
        return
    with pytest.raises(PlanError) as refusal:
        Retry(attempts, base_s, cap_s)
    settings = {"attempts": attempts, "base_s": base_s, "cap_s": cap_s}
    assert names_the_setting_at_fault(refusal.value, settings)


TestRetry = RetryCourse.TestCase
