"""Ctrl-C ends a world promptly, wherever it comes, and leaves nothing behind."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator

import pytest
import trio

from chaoscheck.world import escapes
from chaoscheck.world.virtual import VirtualWorld


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """Python's own handler, which a process has not that a shell started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _interrupt_a_loop() -> None:
    signal.raise_signal(signal.SIGINT)
    while True:
        """Never ends by itself."""


def _interrupt_and_swallow() -> None:
    try:
        _interrupt_a_loop()
    except BaseException as error:
        del error


async def _in_a_task() -> None:
    _interrupt_a_loop()


async def _swallowed_in_a_task() -> None:
    _interrupt_and_swallow()
    await trio.sleep_forever()


async def _at_a_checkpoint() -> None:
    signal.raise_signal(signal.SIGINT)
    while True:
        await trio.lowlevel.checkpoint()


async def _in_a_worker() -> None:
    await trio.to_thread.run_sync(_interrupt_a_loop)


async def _while_the_clock_is_read() -> None:
    signal.raise_signal(signal.SIGINT)
    while True:
        try:
            time.monotonic()
        except Exception as error:
            del error


async def _under_a_shield() -> None:
    with trio.CancelScope(shield=True):
        signal.raise_signal(signal.SIGINT)
        await trio.sleep_forever()


@pytest.mark.parametrize(
    "task",
    [
        _in_a_task,
        _swallowed_in_a_task,
        _at_a_checkpoint,
        _in_a_worker,
        _while_the_clock_is_read,
        _under_a_shield,
    ],
)
def test_an_interrupt_in_a_task_ends_the_run(task: Callable[[], object]) -> None:
    """Also in a loop that never comes to a checkpoint, and if the task holds on to it."""
    with pytest.raises(KeyboardInterrupt), VirtualWorld() as world:
        world.run(task)  # type: ignore[arg-type]

    _nothing_is_left()


def test_an_interrupt_in_sync_code_is_raised_there() -> None:
    """A rule that hangs can be stopped."""
    with pytest.raises(KeyboardInterrupt), VirtualWorld():
        _interrupt_a_loop()

    _nothing_is_left()


def test_the_users_own_handler_is_respected() -> None:
    """A world takes SIGINT only where Python's own handler would have had it."""
    seen: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        with VirtualWorld() as world:

            async def interrupt() -> None:
                signal.raise_signal(signal.SIGINT)

            world.run(interrupt)
    finally:
        signal.signal(signal.SIGINT, previous)

    assert [signal.SIGINT] == seen


def _nothing_is_left() -> None:
    assert signal.default_int_handler is signal.getsignal(signal.SIGINT)
    assert 0 == escapes.patches_in_place()
    assert not trio.lowlevel.in_trio_run()
