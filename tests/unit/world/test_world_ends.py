"""How a world ends: at once where only trio's own tasks live, else cancelled and driven."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import trio

from chaoscheck.world.virtual import VirtualWorld


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the collector and destructors could not raise meanwhile."""
    seen: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)
    return seen


def scopes() -> int:
    """The cancel scopes that one collection leaves."""
    gc.collect()
    return sum(isinstance(each, trio.CancelScope) for each in gc.get_objects())


def test_worlds_without_tasks_leave_nothing_behind(unraisable: list[Any]) -> None:
    """No descriptor, signal handler, suspended coroutine or cancel scope."""
    gc.collect()
    with VirtualWorld():
        pass  # whatever is made once in a process
    handler = signal.getsignal(signal.SIGINT)
    descriptors, before = os.listdir("/dev/fd"), scopes()

    for _ in range(20):
        with VirtualWorld() as world:
            world.advance(1)
    del world

    assert before == scopes()
    assert [] == unraisable
    assert descriptors == os.listdir("/dev/fd")
    assert handler is signal.getsignal(signal.SIGINT)
    assert not trio.lowlevel.in_trio_run()


def test_an_async_generator_that_nobody_finished_is_finished_as_the_world_ends() -> None:
    """Its operation has ended, so no task lives; its clean-up runs all the same, and may await."""
    log: list[str] = []
    kept: list[AsyncGenerator[int, None]] = []

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            await trio.lowlevel.checkpoint_if_cancelled()
            log.append("cleaned up")

    async def one() -> None:
        kept.append(numbers())
        log.append(str(await anext(kept[0])))

    with VirtualWorld() as world:
        world.run(one)

    assert "1" == log[0]
    assert kept[0].ag_frame is None  # type: ignore[attr-defined]


def test_what_was_posted_to_the_run_and_not_yet_called_is_called_as_the_world_ends() -> None:
    """``run_sync_soon`` of a token counts as something that can still happen."""
    called: list[bool] = []

    async def post() -> None:
        token = trio.lowlevel.current_trio_token()
        token.run_sync_soon(token.run_sync_soon, called.append, True)

    with VirtualWorld() as world:
        world.run(post)

    assert [True] == called


def test_a_task_that_still_lives_is_cancelled_and_cleans_up(unraisable: list[Any]) -> None:
    """A service of the system nursery as well: it is not one of trio's own tasks."""
    log: list[str] = []

    async def serve() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            log.append("cleaned up")

    async def begin() -> None:
        trio.lowlevel.spawn_system_task(serve)

    with VirtualWorld() as world:
        world.run(begin)
        world.start(serve)
        world.settle()

    assert ["cleaned up", "cleaned up"] == log
    gc.collect()
    assert [] == unraisable
