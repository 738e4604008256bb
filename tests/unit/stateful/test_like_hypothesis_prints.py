"""What Hypothesis prints of a failing machine, and takes back, our machines print and take."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import reproduce_failure, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from chaoscheck.errors import Unreproducible
from chaoscheck.stateful.machine import ChaosMachine
from tests.unit.stateful.test_like_hypothesis import QUICK, Base, failing_steps, run


@pytest.fixture(params=[RuleBasedStateMachine, ChaosMachine], ids=["hypothesis", "chaoscheck"])
def base(request: pytest.FixtureRequest) -> Base:
    """The base class of the machine."""
    found: Base = request.param
    return found


def test_values_for_several_targets_have_a_name_in_each(base: Any) -> None:
    """One value, two bundles."""

    class Several(base):  # type: ignore[misc]
        one, other = Bundle("one"), Bundle("other")

        @rule(targets=(one, other))
        def make(self) -> int:
            return 1

        @rule(left=one, right=other)
        def fail(self, left: int, right: int) -> None:
            raise AssertionError

    expected = [
        "one_0 = other_0 = state.make()",
        "state.fail(left=one_0, right=other_0)",
        "state.teardown()",
    ]
    assert expected == failing_steps(Several)


def test_multiple_values_are_named_one_by_one(base: Any) -> None:
    """And none where there is none."""

    class Several(base):  # type: ignore[misc]
        numbers = Bundle("numbers")

        @rule(target=numbers)
        def make(self) -> Any:
            return multiple(1, 2)

        @initialize(target=numbers)
        def begin(self) -> Any:
            return multiple()

        @rule(number=numbers)
        def fail(self, number: int) -> None:
            assert number != 2

    expected = ["state.begin()", "numbers_0, numbers_1 = state.make()"]
    assert failing_steps(Several)[:3] == [*expected, "state.fail(number=numbers_1)"]


def test_initialize_rules_name_what_they_make(base: Any) -> None:
    """As rules do."""

    class Prepared(base):  # type: ignore[misc]
        users = Bundle("users")

        @initialize(target=users, name=st.just("ann"))
        def first(self, name: str) -> str:
            return name

        @rule(user=users)
        def fail(self, user: str) -> None:
            raise AssertionError

    expected = ["users_0 = state.first(name='ann')", "state.fail(user=users_0)"]
    assert failing_steps(Prepared)[:2] == expected


def test_bundles_are_filtered_and_mapped(base: Any) -> None:
    """A filter chooses among what is there; a mapped value is drawn, the bundle keeps its own."""
    seen: set[Any] = set()

    class Chosen(base):  # type: ignore[misc]
        numbers = Bundle("numbers")

        @rule(target=numbers, number=st.integers(0, 3))
        def make(self, number: int) -> int:
            return number

        @rule(odd=numbers.filter(lambda number: number % 2 == 1))
        def take_odd(self, odd: int) -> None:
            seen.add(odd)

        @rule(text=numbers.map(str))
        def take_text(self, text: str) -> None:
            seen.add(text)

        @rule(pair=numbers.flatmap(lambda number: st.tuples(st.just(number), st.just("pair"))))
        def take_pair(self, pair: Any) -> None:
            seen.add(pair)

    run(Chosen)

    assert {1, 3, "0", "2", (1, "pair")} <= seen
    assert not {0, 2} & seen


def test_a_filtered_bundle_may_be_consumed(base: Any) -> None:
    """What the filter passes over stays."""

    class Taking(base):  # type: ignore[misc]
        numbers = Bundle("numbers")

        @initialize(target=numbers)
        def make(self) -> Any:
            self.taken = 0
            return multiple(1, 2)

        @rule(even=consumes(numbers).filter(lambda number: number % 2 == 0))
        def take(self, even: int) -> None:
            self.taken += 1

        @rule()
        def pass_over(self) -> None:
            """Possible when nothing is left to take."""

        @invariant()
        def once(self) -> None:
            assert self.taken <= 1

    run(Taking)


def test_a_mapped_bundle_is_printed_by_its_value(base: Any) -> None:
    """It is no longer what the bundle holds."""

    class Doubling(base):  # type: ignore[misc]
        numbers = Bundle("numbers")

        @rule(target=numbers)
        def make(self) -> int:
            return 4

        @rule(double=numbers.map(lambda number: 2 * number))
        def fail(self, double: int) -> None:
            assert double != 8

    assert failing_steps(Doubling)[1] == "state.fail(double=8)"


def test_the_same_seed_meets_the_same_values(base: Any) -> None:
    """What ``@seed`` promises of a property."""

    def values(of_seed: int) -> list[int]:
        met: list[int] = []

        class Meeting(base):  # type: ignore[misc]
            @rule(number=st.integers())
            def meet(self, number: int) -> None:
                met.append(number)

        run(seed(of_seed)(Meeting), settings(QUICK, derandomize=False, max_examples=5))
        return met

    assert values(1) == values(1) != values(2)


def test_a_printed_blob_repeats_the_failure(base: Any) -> None:
    """``@reproduce_failure`` takes what ``print_blob`` gave, on the same base class."""
    tried: list[int] = []

    class Failing(base):  # type: ignore[misc]
        @rule(number=st.integers(0, 100))
        def check(self, number: int) -> None:
            tried.append(number)
            assert number < 50

    with pytest.raises(AssertionError) as failed:
        run(Failing, settings(QUICK, print_blob=True))
    blobs = re.findall(r"@reproduce_failure\('([^']+)', b'([^']+)'\)", str(failed.value.__notes__))
    tried.clear()

    version, blob = blobs[-1]
    with pytest.raises(AssertionError):
        run(reproduce_failure(version, blob.encode())(Failing))
    assert set(tried) == {50}


def test_a_rule_that_fails_only_once_is_no_failure_of_its_own(base: Any) -> None:
    """Hypothesis calls it flaky; here the two runs differ, and it is said where."""
    failed: list[int] = []

    class Once(base):  # type: ignore[misc]
        @rule()
        def act(self) -> None:
            if not failed:
                failed.append(1)
                raise AssertionError

    case = Once.TestCase
    case.settings = QUICK
    with pytest.raises(Unreproducible if issubclass(base, ChaosMachine) else Flaky):
        case().runTest()
