"""The life of an example: hooks are safe whatever a machine overrides, and each world closes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import trio
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from chaoscheck.errors import PlanError, WorldError
from chaoscheck.stateful.failures import SHRINKING_EXAMPLES_MAX
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.rules import initialize, invariant, rule
from chaoscheck.stateful.running import run_machine
from chaoscheck.wire.fast_transport import FastTransport
from chaoscheck.world import escapes
from tests.unit.stateful.stories import QUICK, story

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
FEW = settings(QUICK, max_examples=3, stateful_step_count=3)


def nothing_is_left() -> bool:
    """Whether the next test of this process finds no world of an earlier one."""
    return not trio.lowlevel.in_trio_run() and escapes.patches_in_place() == 0


class Noting(ChaosMachine):
    """Notes in which order its hooks and checks run."""

    noted: list[str]

    def setup(self) -> None:
        self.noted = []

    @rule()
    def step(self) -> None:
        self.noted.append("step")

    @rule()
    def fail(self) -> None:
        raise KeyError("the first failure")

    @invariant(healed=True)
    def recovered(self) -> None:
        self.noted.append("healed")


def notes_of(machine: type[Noting], *steps: str) -> list[str]:
    """What the machine noted in a story of these steps."""
    made: list[Any] = []

    class Kept(machine):  # type: ignore[misc,valid-type]
        def setup(self) -> None:
            super().setup()
            made.append(self)

    replay(Kept, story(*steps))
    noted: list[str] = made[0].noted
    return noted


def test_a_teardown_without_super_still_checks_and_closes() -> None:
    """Overriding Hypothesis's hook as its documentation shows costs neither laws nor worlds."""

    class Plain(Noting):
        def teardown(self) -> None:
            self.noted.append("teardown")

    assert ["step", "healed", "teardown"] == notes_of(Plain, "step")
    assert nothing_is_left()


def test_a_teardown_that_calls_super_ends_the_example_once() -> None:
    """Everything is checked once, and after that call the world is closed."""

    class Twice(Noting):
        def teardown(self) -> None:
            super().teardown()
            self.noted.append("teardown" if nothing_is_left() else "too early")
            super().teardown()

    assert ["step", "healed", "teardown"] == notes_of(Twice, "step")
    assert nothing_is_left()


def test_clean_up_runs_after_the_checks_in_the_open_world() -> None:
    """Async clean-up can still talk to what it closes."""

    class Cleaning(Noting):
        async def cleanup(self) -> None:
            await trio.sleep(1)
            self.noted.append(f"cleanup at {self.world.now:g} s")

        async def teardown(self) -> None:  # type: ignore[override]  # Hypothesis types it
            await trio.sleep(1)
            self.noted.append(f"teardown at {self.world.now:g} s")

    expected = ["step", "healed", "cleanup at 301 s", "teardown at 302 s"]
    assert expected == notes_of(Cleaning, "step")


def test_clean_up_runs_after_a_failure_and_does_not_hide_it() -> None:
    """What clean-up raises becomes a note on the failure that is under way."""

    class Cleaning(Noting):
        def cleanup(self) -> None:
            self.noted.append("cleanup")
            raise OSError("the file is gone")

    run = replay(Cleaning, story("fail"))

    assert isinstance(run.error, KeyError)
    assert ["cleanup() failed as well: OSError: the file is gone"] == run.error.__notes__
    assert nothing_is_left()


def test_clean_up_that_fails_alone_fails_the_example() -> None:
    """An error at the end is no less an error."""

    class Cleaning(Noting):
        def cleanup(self) -> None:
            raise OSError("the file is gone")

    run = replay(Cleaning, story("step"))

    assert isinstance(run.error, OSError)
    assert nothing_is_left()


def test_clean_up_runs_after_a_setup_that_failed_half_way() -> None:
    """What setup took before it failed is given back."""
    given_back: list[str] = []

    class Broken(ChaosMachine):
        def setup(self) -> None:
            self.taken = ["a lock"]
            raise OSError("no luck")

        def cleanup(self) -> None:
            given_back.extend(self.taken)

        @rule()
        def nothing(self) -> None:
            """A step."""

    with pytest.raises(OSError, match="no luck"):
        run_machine(Broken, FEW)

    assert {"a lock"} == set(given_back)
    assert nothing_is_left()


def test_an_init_without_super_is_refused_by_name() -> None:
    """A machine without a world cannot run, and says why."""

    class Forgetful(ChaosMachine):
        def __init__(self) -> None:
            self.value = 0

        @rule()
        def nothing(self) -> None:
            """A step."""

    with pytest.raises(PlanError, match=r"Forgetful\.__init__ never calls super\(\)"):
        run_machine(Forgetful, FEW)

    assert nothing_is_left()


def test_an_init_that_fails_after_super_leaves_no_world() -> None:
    """The next test of the process is not harmed."""

    class Late(ChaosMachine):
        def __init__(self) -> None:
            super().__init__()
            raise OSError("too late")

        @rule()
        def nothing(self) -> None:
            """A step."""

    with pytest.raises(OSError, match="too late"):
        run_machine(Late, FEW)

    assert nothing_is_left()


def test_an_async_setup_serves_and_talks_to_what_it_serves() -> None:
    """chaos.serve() and world.serve() work where the subject is built by awaiting."""
    seen: list[int] = []

    class Asking(ChaosMachine):
        async def setup(self) -> None:
            self.chaos.serve()
            async with httpx.AsyncClient(transport=FastTransport()) as client:
                reply = await client.post("http://api.test/v1/chat/completions", json=QUESTION)
                seen.append(reply.status_code)

        @rule()
        def nothing(self) -> None:
            """A step."""

    run_machine(Asking, FEW)

    assert {200} == set(seen)


@pytest.mark.parametrize(
    ("pump", "instead"),
    [
        (lambda world: world.run(trio.sleep, 1), r"world\.run\(\).*await the function itself"),
        (lambda world: world.settle(), r"world\.settle\(\).*wait_all_tasks_blocked"),
        (lambda world: world.advance(1), r"world\.advance\(\).*await trio\.sleep"),
        (lambda world: world.close(), r"world\.close\(\)"),
    ],
    ids=["run", "settle", "advance", "close"],
)
def test_a_task_that_pumps_its_own_world_is_refused_by_name(
    pump: Callable[[Any], object], instead: str
) -> None:
    """The error names the call, the line, and what to write instead; the clock has not moved."""
    times: list[float] = []

    class Pumping(ChaosMachine):
        @rule()
        async def pump(self) -> None:
            try:
                pump(self.world)
            finally:
                times.append(self.world.now)

    run = replay(Pumping, story("pump"))

    assert isinstance(run.error, WorldError)
    with pytest.raises(WorldError, match=instead):
        raise run.error
    assert "test_life_cycle.py:" in str(run.error)
    assert [0.0] == times
    assert nothing_is_left()


def test_a_rule_may_bear_the_name_of_a_hook() -> None:
    """``@initialize() def setup`` runs once, as a rule, as it does under Hypothesis."""
    calls: list[int] = []

    class Named(ChaosMachine):
        @initialize()
        def setup(self) -> None:
            calls.append(1)

        @rule()
        def cleanup(self) -> None:
            """A step of the user's own."""

    run = replay(Named, story("setup", "cleanup"))

    assert (None, {}) == (run.error, run.skipped)
    assert [1] == calls


def test_a_second_run_of_a_machine_begins_without_the_failures_of_the_first() -> None:
    """Hypothesis's own entry point finds the bug as often as it is asked."""

    examples = 0

    class Failing(ChaosMachine):
        @rule()
        def fail(self) -> None:
            nonlocal examples
            examples += 1
            raise KeyError("each time")

    again = settings(QUICK, phases=[Phase.generate, Phase.shrink])
    while examples < 2 * SHRINKING_EXAMPLES_MAX:
        with pytest.raises(KeyError):
            run_state_machine_as_test(Failing, settings=again)
