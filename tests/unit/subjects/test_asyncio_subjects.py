"""Implementations on asyncio under our laws: correct ones are acquitted, a wrong one is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from chaoscheck import ChaosMachine
from chaoscheck.pytest_plugin import pytest_configure
from chaoscheck.stateful.search import find_counterexample
from chaoscheck.subjects.chosen import build, choose, forget_choices
from chaoscheck.world.operation import Operation
from chaoscheck.world.virtual import VirtualWorld
from properties.test_pooled_executor import ExecutorCourse
from properties.test_reorder_buffer import ReorderLine
from properties.test_retry import RetryCourse
from tests.unit.subjects.asyncio_subjects import FuturesBuffer, SleepingRetry

SUBJECTS = "tests.unit.subjects.asyncio_subjects"
HERE = "tests.unit.subjects.test_asyncio_subjects"

pytestmark = pytest.mark.filterwarnings("default:call is deprecated:DeprecationWarning")


@pytest.fixture(autouse=True)
def _ours_again() -> Iterator[None]:
    yield
    forget_choices()


class ImpatientRetry(SleepingRetry):
    """Waits half as long as it should."""

    def __init__(self, attempts: int, base_s: float, cap_s: float, **settings: Any) -> None:
        super().__init__(attempts, base_s / 2, cap_s, **settings)


@pytest.mark.parametrize(
    ("choice", "machine"),
    [
        (f"retry={SUBJECTS}:SleepingRetry", RetryCourse),
        (f"reorder_buffer={SUBJECTS}:FuturesBuffer", ReorderLine),
        (f"pooled_executor={SUBJECTS}:TaskGroupExecutor", ExecutorCourse),
    ],
)
def test_a_correct_asyncio_subject_breaks_no_law(choice: str, machine: type[ChaosMachine]) -> None:
    """It waits by what it was handed, wakes its own futures, raises errors of its own (~1 s)."""
    choose(choice)

    found = find_counterexample(machine, max_examples=40)

    assert found is None, str(found)


def test_an_asyncio_subject_that_waits_too_little_is_caught() -> None:
    """The injected sleep is on the record whichever task it runs in (~1 s)."""
    choose(f"retry={HERE}:ImpatientRetry")

    found = find_counterexample(RetryCourse, max_examples=60)

    assert found is not None
    assert "a delay of" in str(found.error)


def test_what_is_handed_to_an_asyncio_subject_is_a_coroutine_function() -> None:
    """Libraries choose by inspect.iscoroutinefunction whether they await a function."""
    choose(f"retry={SUBJECTS}:SleepingRetry")

    async def answer() -> str:
        return "answered"

    async def no_sleep(seconds: float) -> None:
        raise AssertionError(f"nothing failed, and it sleeps {seconds} s")

    with VirtualWorld() as world:
        settings = {"shape": "exponential", "uniform": min, "sleep": no_sleep}
        retry = build("retry", world, 3, 1.0, 60.0, **settings)

        async def call() -> Any:
            return await retry.call(answer, retryable=lambda error: False)

        assert world.run(call) == "answered"


def test_a_chosen_subjects_warnings_are_shown_and_break_no_law() -> None:
    """That a warning is an error is a rule for our own code; filters that name more stay."""
    filters = ["error", "ignore:Async generator:ResourceWarning", "error::SyntaxWarning"]
    options = {"--chaos-subject": [f"retry={SUBJECTS}:SleepingRetry"]}
    config = SimpleNamespace(
        addinivalue_line=lambda name, line: None,
        getini={"filterwarnings": filters}.__getitem__,
        getoption=lambda name, default=None: options.get(name, default),
    )

    pytest_configure(config)  # type: ignore[arg-type]  # what it uses of a pytest.Config

    expected = ["default", "ignore:Async generator:ResourceWarning", "error::SyntaxWarning"]
    assert expected == filters


def test_plain_methods_of_an_asyncio_subject_see_its_running_loop() -> None:
    """A future is woken from a sync rule and from within a task; afterwards no loop is running."""
    choose(f"reorder_buffer={SUBJECTS}:FuturesBuffer")
    with VirtualWorld() as world:
        buffer = build("reorder_buffer", world, 1)

        async def evict(ticket: int) -> bool:
            evicted: bool = buffer.evict(ticket)
            return evicted

        assert world.run(buffer.reserve) == 0
        second, third = world.start(buffer.reserve), world.start(buffer.reserve)
        world.settle()
        assert buffer.evict(0)
        assert world.run_until(second) == 1
        assert world.run(evict, 1)
        assert world.run_until(third) == 2
        assert isinstance(buffer.itself, FuturesBuffer)
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()


class WitnessedRetry(SleepingRetry):
    """Calls once, and keeps what became of each call as its caller sees it."""

    def __init__(self, attempts: int, base_s: float, cap_s: float, **settings: Any) -> None:
        super().__init__(attempts, base_s, cap_s, **settings)
        self.seen: list[str] = []

    async def call(self, fn: Any, *, retryable: Any) -> Any:
        """Await ``fn``, then suspend once: a cancel that came at the end arrives here."""
        try:
            value = await fn()
        except BaseException as error:
            self.seen.append(type(error).__name__)
            raise
        self.seen.append("returned")
        await asyncio.sleep(0)
        return value


def _called_and_cancelled(
    world: VirtualWorld, fn: Callable[[], Awaitable[None]], slices: int
) -> tuple[Any, Operation[Any]]:
    """The chosen retry, and a call of it that was cancelled after so many slices."""
    settings = {"shape": "exponential", "uniform": min, "sleep": trio.sleep}
    retry = build("retry", world, 3, 1.0, 60.0, **settings)
    operation = world.start(partial(retry.call, fn, retryable=bool), name="call")
    world.cancel(operation, slices=slices)
    world.settle()
    return retry, operation


@pytest.mark.parametrize("slices", range(12))
@pytest.mark.parametrize("error", [None, KeyError("row")])
def test_a_cancelled_asyncio_caller_and_its_call_agree_on_how_the_call_ended(
    slices: int, error: Exception | None
) -> None:
    """No instant in which one of the two has begun, returned or raised and the other has not."""
    choose(f"retry={HERE}:WitnessedRetry")
    calls: list[str] = []

    async def fn() -> None:
        try:
            await trio.lowlevel.checkpoint()
            if error is not None:
                raise error
        except BaseException as raised:
            calls.append(type(raised).__name__.replace("Cancelled", "CancelledError"))
            raise
        calls.append("returned")

    with VirtualWorld() as world:
        retry, operation = _called_and_cancelled(world, fn, slices)

        assert operation.done
        assert calls == retry.itself.seen


def test_a_cancel_of_an_asyncio_caller_arrives_wherever_it_strikes() -> None:
    """At one instant the call is cut, at a later one it returns and the caller is cancelled."""
    choose(f"retry={HERE}:WitnessedRetry")
    seen: set[tuple[str, ...]] = set()

    async def fn() -> None:
        await trio.lowlevel.checkpoint()

    for slices in range(12):
        with VirtualWorld() as world:
            retry, operation = _called_and_cancelled(world, fn, slices)
            seen.add((*retry.itself.seen, operation.state))

    assert {("CancelledError", "cancelled"), ("returned", "cancelled"), ("returned", "ok")} <= seen
