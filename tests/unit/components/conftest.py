"""Running a component in time that jumps as soon as everything waits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import pytest
import trio
from trio.testing import MockClock

T = TypeVar("T")


class Run(Protocol):
    """Runs an async function to its end, in virtual time, and returns what it returns."""

    def __call__(self, main: Callable[[], Awaitable[T]], /) -> T: ...


@pytest.fixture
def run() -> Run:
    """A fresh trio run per call; its clock starts at 0."""

    def run_main(main: Callable[[], Awaitable[T]], /) -> T:
        async def at_zero() -> T:
            return await main()

        return trio.run(at_zero, clock=MockClock(autojump_threshold=0))

    return run_main
