"""A canary for each private name of trio that the pump and the scheduler hook stand on."""

from __future__ import annotations

import inspect
import socket as stdlib

import pytest
import trio
import trio._core._run as trio_run
import trio._socket as trio_socket
import trio._threads as trio_threads

from chaoscheck.world import schedule

RUNNER_NAMES = ("runq", "deadlines", "entry_queue", "waiting_for_idle", "io_manager", "tasks")


def test_the_run_loop_can_be_driven_from_outside() -> None:
    """setup_runner and unrolled_run take what the pump gives them."""
    setup = list(inspect.signature(trio_run.setup_runner).parameters)
    loop = list(inspect.signature(trio_run.unrolled_run).parameters)

    assert setup == [
        "clock",
        "instruments",
        "restrict_keyboard_interrupt_to_checkpoints",
        "strict_exception_groups",
    ]
    assert loop == ["runner", "async_fn", "args", "host_uses_signal_set_wakeup_fd"]
    assert inspect.isgeneratorfunction(trio_run.unrolled_run)


@pytest.mark.parametrize("name", RUNNER_NAMES)
def test_the_runner_shows_what_quiet_is_made_of(name: str) -> None:
    """The pump reads these attributes of the runner."""
    seen: list[bool] = []

    async def look() -> None:
        seen.append(hasattr(trio_run.GLOBAL_RUN_CONTEXT.runner, name))

    trio.run(look)

    assert seen == [True]


def test_deadlines_are_a_heap_that_a_world_may_reorder() -> None:
    """A world keeps trio's deadlines in the order in which they were set, and some of them late."""
    deadlines = trio_run.Deadlines()
    scope = trio.CancelScope()

    assert [] == deadlines._heap
    assert 0 == deadlines._active
    assert float("inf") == scope._registered_deadline
    for name, parameters in {
        "add": ["self", "deadline", "cancel_scope"],
        "remove": ["self", "deadline", "cancel_scope"],
        "expire": ["self", "now"],
        "next_deadline": ["self"],
    }.items():
        method = getattr(trio_run.Deadlines, name)
        assert parameters == list(inspect.signature(method).parameters)


def test_the_scheduler_hook_is_there() -> None:
    """Trio still asks a replaceable generator for the order of tasks."""
    assert schedule.hook_available()


def test_worker_threads_start_through_one_name() -> None:
    """Escapes answer worker threads at this place."""
    assert callable(vars(trio_threads)["start_thread_soon"])
    assert callable(vars(trio_threads)["_send_message_to_trio"])


def test_sockets_of_the_standard_library_come_to_trio_through_one_name() -> None:
    """A world answers ``from_stdlib_socket`` and the waits of the I/O manager at these places."""
    manager = vars(trio_run)["TheIOManager"]

    with stdlib.socket() as given:
        made = trio_socket.from_stdlib_socket(given)
        assert type(made) is vars(trio_socket)["_SocketType"]
    assert inspect.iscoroutinefunction(manager.wait_readable)
    assert inspect.iscoroutinefunction(manager.wait_writable)
    assert ["self", "fd"] == list(inspect.signature(manager.notify_closing).parameters)


def test_a_task_counts_the_points_at_which_it_gave_way() -> None:
    """Holds and cancellations name a task's checkpoints by this count."""
    counts: list[int] = []

    async def give_way() -> None:
        task = trio.lowlevel.current_task()
        for _ in range(3):
            counts.append(task._schedule_points)
            await trio.lowlevel.checkpoint()

    trio.run(give_way)

    assert [counts[0], counts[0] + 1, counts[0] + 2] == counts
