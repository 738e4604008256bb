"""Which law broke, in words that are the same on every machine."""

from __future__ import annotations

import os
import sys

import pytest

from chaoscheck.regressions.law import Law, broken_law, neutral
from chaoscheck.stateful.replaying import replay
from tests.unit.regressions.stories import Counter, add


def test_an_invariant_is_named_with_its_message() -> None:
    """I read which law fell before I read any code."""
    error = replay(Counter, add(9)).error

    assert error is not None
    law = broken_law(Counter, error)
    assert ("stays_small", "AssertionError") == (law.name, law.exception)
    assert law.message.startswith("counted 9")


def test_a_rule_that_raises_is_named_and_no_folder_is_told() -> None:
    """A file that is shared names no folder of mine."""
    error = replay(Counter, add(-1)).error

    assert error is not None
    wanted = Law(name="add", exception="ValueError", message="cannot count -1 in …/counter.py")
    assert wanted == broken_law(Counter, error)


def test_an_error_in_which_the_machine_had_no_part_has_no_law() -> None:
    """What the world itself finds belongs to no method; of a group, the first error tells."""
    law = broken_law(Counter, ExceptionGroup("two", [TypeError(""), ValueError("x")]))

    assert ("", "TypeError", "TypeError") == (law.name, law.exception, str(law))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("no such file: '/etc/secret/key.pem'", "no such file: '…/key.pem'"),
        (f"in {os.path.dirname(sys.executable)}/x.py", "in …/x.py"),
        ("C:\\Users\\me\\x.txt is gone", "…/x.txt is gone"),
        ("GET http://api.test/v1/chat/completions", "GET http://api.test/v1/chat/completions"),
        ("POST /v1/chat/completions", "POST /v1/chat/completions"),
        ("<Lock object at 0x7f00aa11bb22>", "<Lock object at 0x…>"),
        ("3/4 of 0x1F", "3/4 of 0x1F"),
    ],
)
def test_folders_and_addresses_are_left_out(text: str, wanted: str) -> None:
    """What a message says of my machine stays on it; what it says of a server is told."""
    assert wanted == neutral(text)
