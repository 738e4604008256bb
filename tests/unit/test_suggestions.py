"""What is suggested for a wrong name, and when nothing is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import chaoscheck
from chaoscheck.suggestions import near_name, unknown_name

SOURCE = Path(chaoscheck.__file__).parent
CUPS = ["mug"]
NAMES = ["virtual", "loopback", "cut", "reset", "status_429", "slow_drip"]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("virtal", "virtual"),
        ("Loopback", "loopback"),
        ("rest", "reset"),
        ("status_42", "status_429"),
        ("banana", None),
        ("", None),
        ("lunar", None),
        (7, None),
    ],
)
def test_only_a_near_name_is_suggested(name: object, near: str | None) -> None:
    """A suggestion that is not near sends the reader the wrong way."""
    assert near == near_name(name, NAMES)


def test_the_legal_names_are_said_either_way() -> None:
    """With a suggestion or without, the list follows."""
    assert "unknown cup 'mig'; did you mean 'mug'? legal: mug" == unknown_name(
        "cup", "mig", ["mug"]
    )
    assert "unknown cup 'x'; legal: mug" == unknown_name("cup", "x", ["mug"])
    assert "unknown cup 'x'; legal: none" == unknown_name("cup", "x", [])


def test_every_suggestion_is_made_in_one_place() -> None:
    """No other module looks for near names by itself, with a bound of its own."""
    importing = [
        path.name
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import) and any(each.name == "difflib" for each in node.names)
    ]

    assert ["suggestions.py"] == importing
