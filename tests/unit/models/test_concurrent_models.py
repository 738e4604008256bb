"""Register, counter and lock: their single steps, and that each refuses what it does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from models.counter import counter_step
from models.lock import lock_step
from models.register import register_step


@pytest.mark.parametrize(
    ("held", "name", "argument", "after"),
    [
        (None, "read", None, (None, None)),
        (1, "write", {"value": 2}, (2, None)),
        (1, "compare_and_set", {"expected": 1, "value": 2}, (2, True)),
        (3, "compare_and_set", {"expected": 1, "value": 2}, (3, False)),
    ],
)
def test_a_register_holds_what_was_written_last(
    held: object, name: str, argument: object, after: tuple[object, object]
) -> None:
    """Reading changes nothing; a compare-and-set wins only over what it expects."""
    assert after == register_step(held, name, argument)


@pytest.mark.parametrize(
    ("name", "argument", "after"),
    [
        ("read", None, (4, 4)),
        ("increment", None, (5, 5)),
        ("increment", {}, (5, 5)),
        ("increment", {"by": 3}, (7, 7)),
    ],
)
def test_every_increment_counts(name: str, argument: object, after: tuple[int, object]) -> None:
    """By one unless it says otherwise; the answer is the new count."""
    assert after == counter_step(4, name, argument)


@pytest.mark.parametrize(
    ("holder", "name", "after"),
    [
        (None, "acquire", ("a", None)),
        ("b", "acquire", None),
        ("a", "acquire", None),
        (None, "try_acquire", ("a", True)),
        ("b", "try_acquire", ("b", False)),
        ("a", "release", (None, None)),
        ("b", "release", None),
        (None, "release", None),
    ],
)
def test_a_lock_has_one_owner(
    holder: object, name: str, after: tuple[object, object] | None
) -> None:
    """Whoever waits cannot get it before it is free, and only the owner releases it."""
    assert after == lock_step(holder, name, {"owner": "a"})


@pytest.mark.parametrize("step", [register_step, counter_step, lock_step])
def test_an_operation_that_it_does_not_know_is_named(step: Callable[..., Any]) -> None:
    """A misspelt operation is not taken for one that changes nothing."""
    with pytest.raises(ValueError, match="not reed"):
        step(0, "reed", {"owner": "a"})
