"""The one excuse that a pipeline over httpcore's pool has for not recovering, and its bounds."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpcore
import pytest

from properties.test_llm_pipeline import POOL, OwnPoolPipeline

POOL_TIME_OUT = SimpleNamespace(outcome="transient", submitted_s=0.0, ended_s=POOL.max_seconds)
OTHER_FAILURE = SimpleNamespace(outcome="transient", submitted_s=0.0, ended_s=1.0)


@pytest.fixture
def machine() -> Iterator[Any]:
    """One that is built by hand."""
    made: Any = OwnPoolPipeline()
    yield made
    made.client._transport._pool._connections.clear()
    made.attempts.clear()
    made.teardown()


def lose_a_slot(machine: Any) -> None:
    """What httpcore 1.0.9 leaves behind: a connection that no request will open."""
    pool = machine.client._transport._pool
    origin = httpcore.URL("http://api.test").origin
    pool._connections.append(httpcore.AsyncHTTPConnection(origin))


def test_a_slot_that_a_pool_time_out_lost_is_not_held_against_the_pipeline(machine: Any) -> None:
    """Recovery is skipped, counted with its reason."""
    lose_a_slot(machine)
    machine.attempts.append(POOL_TIME_OUT)

    assert machine.slots_lost() == 1
    machine.new_rows_succeed_again()

    assert machine.output.total_count == 0


@pytest.mark.parametrize("attempts", [[], [OTHER_FAILURE]])
def test_a_slot_that_is_lost_otherwise_breaks_the_law(machine: Any, attempts: list[Any]) -> None:
    """Without a time-out for each, it is another bug."""
    lose_a_slot(machine)
    machine.attempts.extend(attempts)

    with pytest.raises(AssertionError, match="after 0 pool time-outs"):
        machine.new_rows_succeed_again()


def test_without_a_lost_slot_recovery_is_judged(machine: Any) -> None:
    """The pool of a healthy client has no such connection, whatever timed out."""
    machine.attempts.append(POOL_TIME_OUT)

    assert machine.slots_lost() == 0
    machine.new_rows_succeed_again()

    assert machine.output.total_count > 0
