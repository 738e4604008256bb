"""A rate limiter whose bucket is refilled twice for one stretch of time after a backoff reset."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from hypothesis import strategies as st

from chaoscheck import ChaosMachine, invariant, rule
from tests.quality.anchors.anchor import Anchor

__all__ = ["TOKEN_BUCKET_REFILLS_TWICE"]

BURST = 5
RATE_PER_S = 1
BACKOFF_S = 1.0
BACKOFF_MAX_S = 60.0
COOLDOWN_S = 60.0  # so long after the last rejection, backing off is forgotten


class RateLimiter:
    """A token bucket, and a backoff that doubles with each rejection in a row."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._tokens = float(BURST)
        self._filled_at_s = now()
        self._rejections = 0
        self._rejected_at_s = now()

    def try_send(self, count: int) -> bool:
        """Whether ``count`` messages may go out now; then their tokens are spent."""
        self._refill()
        self._forget_old_rejections()
        if self._is_backing_off() or self._tokens < count:
            return False
        self._tokens -= count
        return True

    def on_rejected(self) -> None:
        """The server refused a message."""
        self._refill()
        self._forget_old_rejections()
        self._rejections += 1
        self._rejected_at_s = self._now()

    def _is_backing_off(self) -> bool:
        if not self._rejections:
            return False
        backoff_s = min(BACKOFF_S * 2.0 ** (self._rejections - 1), BACKOFF_MAX_S)
        return self._now() < self._rejected_at_s + backoff_s

    def _refill(self) -> None:
        now_s = self._now()
        self._tokens = min(BURST, self._tokens + RATE_PER_S * (now_s - self._filled_at_s))
        self._filled_at_s = now_s

    def _forget_old_rejections(self) -> None:
        if self._rejections and self._now() >= self._rejected_at_s + COOLDOWN_S:
            self._reset_backoff()

    def _reset_backoff(self) -> None:
        self._rejections = 0


class RefillingTwice(RateLimiter):
    """The reset sets the bucket's own time back to the rejection, for which it has refilled."""

    def _reset_backoff(self) -> None:
        self._rejections = 0
        self._filled_at_s = self._rejected_at_s


class LimitedSending(ChaosMachine):
    """Messages are sent through a rate limiter that is told of rejections, while time passes.

    Smallest: a rejection, 60 s, and two sends, of 5 messages and of 1, say. Without the rejection
    there is no reset, and it comes no sooner than 60 s later. One send is never too much, since
    it is granted at most what the bucket holds, and the first send makes the reset come about.
    """

    limiter_type: ClassVar[type[RateLimiter]] = RefillingTwice

    def setup(self) -> None:
        self.limiter = self.limiter_type(self.world.clock.current_time)
        # What an ideal bucket holds; below 0, more was granted than burst and rate allow.
        self.level = float(BURST)
        self.level_at_s = self.world.clock.current_time()

    @rule()
    def reject(self) -> None:
        self.limiter.on_rejected()

    @rule(count=st.integers(1, BURST))
    def send(self, count: int) -> None:
        if self.limiter.try_send(count):
            now_s = self.world.clock.current_time()
            refilled = self.level + RATE_PER_S * (now_s - self.level_at_s)
            self.level = min(BURST, refilled) - count
            self.level_at_s = now_s

    @rule(seconds=st.integers(1, 60))
    def wait(self, seconds: int) -> None:
        self.world.advance(seconds)

    @invariant()
    def no_window_grants_more_than_burst_and_rate(self) -> None:
        assert self.level >= 0, f"{-self.level:g} messages too many"


class SoundLimitedSending(LimitedSending):
    limiter_type = RateLimiter


TOKEN_BUCKET_REFILLS_TWICE = Anchor(
    name="token_bucket_refills_twice",
    what="a token bucket refills twice for the same time after its backoff was reset",
    machine=LimitedSending,
    sound=SoundLimitedSending,
    law="no_window_grants_more_than_burst_and_rate",
    smallest_steps=4,
    pools={("send", "count"): (1, BURST), ("wait", "seconds"): (1, 59, 60)},
)
