"""Anybody's implementation under our laws: chosen by name, refused before any test runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import trio

from chaoscheck.components.aimd_throttle import AimdThrottle
from chaoscheck.components.retry import Retry
from chaoscheck.errors import PlanError
from chaoscheck.subjects.chosen import build, choose, forget_choices
from chaoscheck.subjects.kinds import KINDS
from chaoscheck.world.virtual import VirtualWorld

HERE = "tests.unit.subjects.test_chosen"


class Halving(AimdThrottle):
    """An implementation that is not ours."""


class Deaf:
    """Lacks nearly everything a throttle has."""

    current_delay_ms = 0.0

    def __init__(self, **settings: float) -> None:
        self.settings = settings


def picky() -> None:
    """A factory that takes none of the settings."""


class AsyncioRetry:
    """Repeats a call with asyncio's own sleep and lock."""

    runtime = "asyncio"

    def __init__(self, attempts: int, base_s: float, cap_s: float, **_: Any) -> None:
        self.attempts, self.base_s, self.cap_s = attempts, base_s, cap_s
        self.lock: asyncio.Lock | None = None

    async def call(
        self, fn: Callable[[], Awaitable[Any]], *, retryable: Callable[[Exception], bool]
    ) -> Any:
        """One call at a time."""
        if self.lock is None:
            self.lock = asyncio.Lock()
        async with self.lock:
            for number in range(1, self.attempts + 1):
                try:
                    return await fn()
                except Exception as error:
                    if not retryable(error) or number == self.attempts:
                        raise
                await asyncio.sleep(min(self.cap_s, self.base_s * 2 ** (number - 1)))
        return None


class SyncRetry:
    """Its call is not async."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.settings = (args, kwargs)

    def call(self, fn: Any, *, retryable: Any) -> None:
        """Nobody can await this."""


@pytest.fixture(autouse=True)
def _ours_again() -> Iterator[None]:
    yield
    forget_choices()


def test_ours_stands_under_the_laws_unless_another_is_chosen() -> None:
    """The default needs no option."""
    with VirtualWorld() as world:
        ours = build("retry", world, 3, 1.0, 60.0, shape="exponential")
        assert isinstance(ours, Retry)

        assert choose(f"aimd_throttle={HERE}:Halving") == "aimd_throttle"
        assert isinstance(build("aimd_throttle", world), Halving)


@pytest.mark.parametrize("kind", KINDS)
def test_each_of_ours_passes_its_own_probe(kind: str) -> None:
    """The protocols ask for nothing that ours do not have."""
    ours = KINDS[kind].ours

    assert choose(f"{kind}={ours.__module__}:{ours.__qualname__}") == kind


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("retry", "KIND=MODULE:FACTORY, got 'retry'"),
        ("retry=module", "KIND=MODULE:FACTORY"),
        ("retri=a:b", "unknown kind of subject 'retri'; did you mean 'retry'"),
        ("retry=no_such_module_here:make", "cannot import 'no_such_module_here'"),
        (f"retry={HERE}:nothing", "has no 'nothing'"),
        (f"retry={HERE}:HERE", "is no factory: it is a str"),
        (f"retry={HERE}:picky", "cannot build a retry: TypeError"),
        (f"aimd_throttle={HERE}:Deaf", "it lacks on_capacity_error, on_success"),
        (f"retry={HERE}:SyncRetry", "call must be an async method"),
    ],
)
def test_a_wrong_choice_says_what_is_wrong(text: str, complaint: str) -> None:
    """A typo is not mistaken for a broken law."""
    with pytest.raises(PlanError) as refusal:
        choose(text)

    assert complaint in str(refusal.value)


def test_an_asyncio_subject_runs_in_the_same_virtual_time() -> None:
    """Its sleeps cost nothing, its locks are shared by calls of many tasks."""
    choose(f"retry={HERE}:AsyncioRetry")
    failures = [ValueError("once"), ValueError("twice")]

    async def flaky() -> float:
        await trio.sleep(1)
        if failures:
            raise failures.pop()
        return trio.current_time()

    with VirtualWorld() as world:
        retry = build("retry", world, 3, 10.0, 60.0, shape="exponential")

        async def call() -> float:
            answer: float = await retry.call(flaky, retryable=lambda error: True)
            return answer

        first, second = world.start(call), world.start(call)

        assert world.run_until(first) == 1 + 10 + 1 + 20 + 1
        assert world.run_until(second) == 34


def test_a_cancelled_call_of_an_asyncio_subject_ends_at_once() -> None:
    """Cancellation crosses the bridge, and the lock is free again."""
    choose(f"retry={HERE}:AsyncioRetry")
    with VirtualWorld() as world:
        retry = build("retry", world, 3, 10.0, 60.0, shape="exponential")

        async def wait_long() -> None:
            await retry.call(trio.sleep_forever, retryable=lambda error: False)

        stuck = world.start(wait_long)
        world.settle()
        stuck.cancel()
        world.settle()

        assert stuck.state == "cancelled"
        assert world.run(_call_again, retry) == "free"


async def _call_again(retry: Any) -> Any:
    return await retry.call(_answer, retryable=lambda error: False)


async def _answer() -> str:
    return "free"
