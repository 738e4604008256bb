"""No two machines share a key, and a key is the same in every run."""

from __future__ import annotations

from typing import Any

import pytest

from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.machine_key import chaos_key_of, database_key_of, keys_of, named_test
from chaoscheck.stateful.rules import rule


class Plain(ChaosMachine):
    """A machine as most are."""

    @rule()
    def nothing(self) -> None:
        """A step."""

    class Nested(ChaosMachine):
        """A machine in a class."""

        @rule()
        def nothing(self) -> None:
            """A step."""


def make(limit: int) -> Any:
    """A machine with a parameter."""

    class Made(ChaosMachine):
        @rule()
        def nothing(self) -> None:
            assert limit

    return Made


Small, Big = make(1), make(2)
SmallCase, BigCase = Small.TestCase, Big.TestCase  # not named Test*: nothing to run here


def test_a_class_of_a_module_has_its_qualified_name() -> None:
    """As it always had: stories that are kept are found."""
    assert ("Plain", "Plain.Nested") == (chaos_key_of(Plain), chaos_key_of(Plain.Nested))
    assert frozenset({"Plain"}) == keys_of(Plain)


def test_machines_of_one_factory_are_told_apart_by_their_tests() -> None:
    """Each keeps its own stories; those of the time when they shared a name are still read."""
    keys = [chaos_key_of(Small), chaos_key_of(Big)]

    assert ["make.<locals>.Made[SmallCase]", "make.<locals>.Made[BigCase]"] == keys
    assert "make.<locals>.Made" in keys_of(Small) & keys_of(Big)
    assert ["SmallCase", ""] == [named_test(keys[0]), named_test("Plain")]


@pytest.mark.parametrize("limit", [3, 4])
def test_a_machine_that_a_test_makes_is_told_apart_by_the_test(limit: int) -> None:
    """With the test's parameters, which are those of the factory."""
    here = f"test_a_machine_that_a_test_makes_is_told_apart_by_the_test[{limit}]"

    assert f"make.<locals>.Made[{here}]" == chaos_key_of(make(limit))


def test_a_class_that_hides_another_of_its_name_is_told_apart() -> None:
    """Made in a loop, they all have one name, and the module holds one of them at most."""
    made: Any = type(Plain)
    hidden = made("Plain", (Plain,), {"__module__": __name__})

    assert chaos_key_of(hidden).startswith("Plain[")


def test_a_key_of_ones_own_is_the_key() -> None:
    """A factory may set it from its parameters; then it survives a move of the file as well."""

    class Renamed(Plain):
        chaos_key = "cache of 3"

    class Derived(Renamed):
        pass

    assert "cache of 3" == chaos_key_of(Renamed) == database_key_of(Renamed)
    assert frozenset({"cache of 3"}) == keys_of(Renamed)
    assert "cache of 3" != chaos_key_of(Derived)


def test_the_database_knows_classes_of_two_modules_apart() -> None:
    """Else each would delete what the other found."""
    assert f"{__name__}:Plain" == database_key_of(Plain)
