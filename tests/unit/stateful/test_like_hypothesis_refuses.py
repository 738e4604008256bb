"""What Hypothesis refuses in a state machine a chaos machine refuses as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis.errors import InvalidDefinition
from hypothesis.stateful import initialize, invariant, precondition, rule

from tests.unit.stateful.test_like_hypothesis import base, run

__all__ = ["base"]  # the fixture


def _nothing(self: Any) -> None:
    """A rule."""


@pytest.mark.parametrize(
    "declare",
    [
        lambda: rule()(rule()(_nothing)),
        lambda: invariant()(rule()(_nothing)),
        lambda: initialize()(rule()(_nothing)),
        lambda: invariant()(invariant()(_nothing)),
    ],
    ids=["rule twice", "law and rule", "both", "law twice"],
)
def test_wrong_declarations_are_refused(declare: Callable[[], Any]) -> None:
    """One method is one thing."""
    with pytest.raises(InvalidDefinition):
        declare()


def test_a_machine_without_rules_is_refused(base: Any) -> None:
    """There is nothing to run, however much time may pass."""

    class Empty(base):  # type: ignore[misc]
        pass

    with pytest.raises(InvalidDefinition, match="defines no rules"):
        run(Empty)


def test_a_machine_in_which_nothing_is_possible_is_refused(base: Any) -> None:
    """A precondition that never holds is told."""

    class Stuck(base):  # type: ignore[misc]
        @precondition(lambda self: False)
        @rule()
        def never(self) -> None:
            """Is never possible."""

    with pytest.raises(InvalidDefinition):
        run(Stuck)
