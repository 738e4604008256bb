"""How the tests themselves are written, and which of them run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import conftest
from tests.architecture.checkout import functions, place, python_files


def _tests(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in functions(path) if node.name.startswith("test_"))


def test_every_test_says_what_it_promises() -> None:
    """The docstring of a test is its promise in a user's words."""
    silent = [
        place(path, node.lineno)
        for path in python_files("tests", "properties")
        if path.name.startswith("test_")
        for node in _tests(path)
        if not ast.get_docstring(node)
    ]

    assert [] == silent


@pytest.mark.parametrize(
    ("markexpr", "paths", "asked"),
    [
        ("", [], False),
        ("", ["tests", "properties"], False),
        ("not slow", ["tests/unit"], False),
        ("stressed", [], False),
        ("stress", [], True),
        ("stress and not slow", ["tests"], True),
        ("", ["tests", "tests/stress"], True),
        ("", ["tests/stress/test_load.py::test_it"], True),
        ("", ["tests/stress_notes"], False),
    ],
)
def test_stress_runs_only_when_asked_for(
    markexpr: str, paths: list[str], asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stress tests run when -m names them or a path below tests/stress is given, else never."""
    monkeypatch.chdir(conftest.ROOT)

    assert asked is conftest.stress_is_asked_for(markexpr, paths)
