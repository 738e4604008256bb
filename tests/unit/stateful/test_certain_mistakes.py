"""Mistakes in a machine that could never test anything are errors with file and line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
import trio
from hypothesis import stateful
from hypothesis import strategies as st
from hypothesis.errors import InvalidDefinition
from hypothesis.stateful import Bundle, consumes

from chaoscheck.errors import PlanError
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.rules import initialize, invariant, rule
from chaoscheck.stateful.running import run_machine
from tests.unit.stateful.stories import QUICK, story

hypothesis_rule: Any = stateful.rule  # its types refuse an async rule


def here(offset: int = 0) -> str:
    """``FILE:LINE`` of the caller, so many lines away."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return f"test_certain_mistakes.py:{frame.f_back.f_lineno + offset}:"


# ---------------------------------------------------------------------- awaited by nobody


def test_an_async_rule_that_is_called_without_await_is_an_error_at_its_line() -> None:
    """It would have done nothing, in silence."""
    line = ""

    class Forgetting(ChaosMachine):
        async def _really(self) -> None:
            """What the rule is for."""

        @rule()
        async def ask(self) -> None:
            await self._really()

        @rule()
        def ask_twice(self) -> None:
            nonlocal line
            line = here(+1)
            self.ask()  # type: ignore[unused-coroutine]

    run = replay(Forgetting, story("ask_twice"))

    assert isinstance(run.error, PlanError)
    assert line in str(run.error)
    assert "ask is async and was called without await" in str(run.error)


def test_the_same_with_hypothesis_own_decorators_and_in_a_derived_machine() -> None:
    """Whoever declared the rule, and wherever."""

    class Base(ChaosMachine):
        @hypothesis_rule()  # type: ignore[untyped-decorator]
        async def ask(self) -> None:
            """Awaited by nobody."""

    class Derived(Base):
        @initialize()
        async def begin(self) -> None:
            self.ask()  # type: ignore[unused-coroutine]

        @rule()
        async def ask(self) -> None:
            await super().ask()

    run = replay(Derived, story("begin", "ask"))

    assert isinstance(run.error, PlanError)
    assert "called without await" in str(run.error)
    assert replay(Base, story("ask")).error is None


def test_rules_that_await_start_or_run_other_rules_are_left_alone() -> None:
    """An async rule is a method like any other."""
    calls: list[str] = []

    class Calling(ChaosMachine):
        @rule()
        async def ask(self) -> None:
            await trio.lowlevel.checkpoint()
            calls.append("ask")

        @rule()
        async def await_it(self) -> None:
            await self.ask()

        @rule()
        def run_it(self) -> None:
            self.world.run(self.ask)

        @rule(in_flight=True)
        async def start_it(self) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.ask)

    run = replay(Calling, story("await_it", "run_it", "start_it"))

    assert run.error is None
    assert ["ask"] * 3 == calls


def test_a_decorated_async_rule_is_pumped_though_it_looks_sync() -> None:
    """A decorator that hides ``async`` does not make the rule do nothing."""
    calls: list[str] = []

    def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any) -> Any:
            return function(*args)

        return call

    class Decorated(ChaosMachine):
        @rule()
        @decorated
        async def ask(self) -> None:
            await trio.sleep(1)
            calls.append("ask")

    assert replay(Decorated, story("ask")).error is None
    assert ["ask"] == calls


# ---------------------------------------------------------------------- laws


@pytest.mark.parametrize("value", [False, True, 0, "text"], ids=repr)
def test_a_law_that_returns_a_value_is_an_error_at_its_line(value: object) -> None:
    """``return x == y`` in place of ``assert x == y`` passes for ever."""
    line = here(+7)

    class Returning(ChaosMachine):
        @rule()
        def nothing(self) -> None:
            """A step."""

        @invariant()  # type: ignore[type-var]
        def compare(self) -> object:
            return value

    with pytest.raises(PlanError, match=r"compare returned .*assert it") as refused:
        run_machine(Returning, QUICK)

    assert line in str(refused.value)


def test_a_law_that_returns_a_value_at_the_end_is_one_as_well() -> None:
    """Healed laws are laws."""

    class Returning(ChaosMachine):
        @rule()
        def nothing(self) -> None:
            """A step."""

        @invariant(healed=True)  # type: ignore[type-var]
        def compare(self) -> bool:
            return True

    assert isinstance(replay(Returning, story("nothing")).error, PlanError)


def test_a_law_that_gives_a_coroutine_is_named_without_a_warning() -> None:
    """A lambda around an async check is awaited by nobody."""

    class Acting(ChaosMachine):
        async def look(self) -> None:
            """Would be awaited by nobody."""

        @rule()
        def nothing(self) -> None:
            """A step."""

        @invariant()
        def check(self) -> Any:
            return self.look()

    assert isinstance(replay(Acting, story("nothing")).error, PlanError)


def test_an_async_law_is_named_with_its_line() -> None:
    """An invariant looks; it does not act."""
    line = here(+7)

    class Acting(ChaosMachine):
        @rule()
        def nothing(self) -> None:
            """A step."""

        @invariant()  # type: ignore[type-var]
        async def act(self) -> None:
            """Would be awaited by nobody."""

    with pytest.raises(PlanError, match=r"act must not be async") as refused:
        run_machine(Acting, QUICK)

    assert line in str(refused.value)


# ---------------------------------------------------------------------- bundles


def test_a_rule_on_a_bundle_that_no_rule_targets_is_an_error_at_its_line() -> None:
    """A misspelt bundle means a rule that never runs."""
    line = here(+10)

    class Misspelt(ChaosMachine):
        jobs = Bundle("jobs")
        jbos = Bundle("jbos")

        @rule(target=jobs)
        def submit(self) -> int:
            return 1

        @rule(job=consumes(jbos))
        def finish(self, job: int) -> None:
            """Never runs."""

    with pytest.raises(InvalidDefinition, match=r"finish can never run.*'jbos'.*'jobs'") as refused:
        run_machine(Misspelt, QUICK)

    assert line in str(refused.value)


def test_a_bundle_may_be_filled_by_a_derived_machine() -> None:
    """Only a machine that is run must be whole."""

    class Half(ChaosMachine):
        jobs = Bundle("jobs")

        @rule(job=jobs)
        def finish(self, job: int) -> None:
            """Runs where something is submitted."""

    class Whole(Half):
        @initialize(target=Half.jobs)
        def submit(self) -> int:
            return 1

    assert replay(Whole, story("submit")).error is None


@pytest.mark.parametrize(
    "around",
    [
        lambda bundle: st.one_of(bundle, st.just(2)),
        lambda bundle: st.none() | bundle.map(str),
        st.lists,
        lambda bundle: st.tuples(st.just(1), bundle),
        lambda bundle: st.fixed_dictionaries({"job": bundle}),
        lambda bundle: st.builds(dict, job=bundle),
        lambda bundle: st.dictionaries(bundle, st.just(1)),
        lambda bundle: st.lists(st.one_of(bundle.filter(bool), st.just(0))),
    ],
)
def test_a_bundle_that_no_rule_targets_is_found_within_strategies(
    around: Callable[[Any], Any],
) -> None:
    """The rule runs, but never with what the bundle was to hold."""

    class Misspelt(ChaosMachine):
        jobs = Bundle("jobs")

        @rule(target=jobs)
        def submit(self) -> int:
            return 1

        @rule(job=around(Bundle("jbos")))
        def finish(self, job: object) -> None:
            """Runs without a job."""

    with pytest.raises(InvalidDefinition, match=r"finish draws from an empty bundle.*'jbos'"):
        run_machine(Misspelt, QUICK)


def test_a_filled_bundle_may_stand_within_a_strategy() -> None:
    """Whatever holds it."""

    class Whole(ChaosMachine):
        jobs = Bundle("jobs")

        @rule(target=jobs)
        def submit(self) -> int:
            return 1

        @rule(job=st.lists(st.one_of(jobs, st.just(2)), max_size=2))
        def finish(self, job: list[int]) -> None:
            """Runs."""

    run_machine(Whole, QUICK)
