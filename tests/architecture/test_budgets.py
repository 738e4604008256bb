"""The budgets of the house style, counted. Line length is ruff's."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.checkout import ROOT, functions, place, python_files, tree

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
PARAMETERS_MAX = 6
NESTING_MAX = 3
MODULE_DOCSTRING_LINES_MAX = 8

_BRANCHING = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.Match)
_CONTEXTS = (ast.With, ast.AsyncWith)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def nesting(node: ast.AST, *, counts_with: bool) -> int:
    """How deep control flow is nested below ``node``; an inner scope counts for itself."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _SCOPES):
            continue
        opens = isinstance(child, _BRANCHING) or (counts_with and isinstance(child, _CONTEXTS))
        # `elif` is an If alone in its parent's orelse; it reads at its parent's depth.
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        below = nesting(child, counts_with=counts_with)
        deepest = max(deepest, below + (1 if opens and not is_elif else 0))
    return deepest


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """The names that a caller may pass, without self and cls."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [argument.arg for argument in every if argument.arg not in {"self", "cls"}]


def test_no_file_is_longer_than_a_sitting() -> None:
    """I can read any file from top to bottom in one go."""
    lengths = {
        place(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()
    }

    assert {} == {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX}


def test_no_function_is_longer_than_a_screen() -> None:
    """I see a whole function at once."""
    lengths = {
        place(path, node.lineno): (node.end_lineno or node.lineno) - node.lineno + 1
        for path in python_files()
        for node in functions(path)
    }

    assert {} == {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES_MAX}


def test_no_function_takes_more_than_six_parameters() -> None:
    """I can remember what a function wants."""
    counts = {
        place(path, node.lineno): len(parameters(node))
        for path in python_files()
        for node in functions(path)
    }

    assert {} == {name: count for name, count in counts.items() if count > PARAMETERS_MAX}


def test_control_flow_is_nested_at_most_three_deep() -> None:
    """I never hold more than three conditions in mind. In tests, `with` is a setting, not flow."""
    depths = {
        place(path, node.lineno): nesting(
            node, counts_with=path.relative_to(ROOT).parts[0] not in {"tests", "properties"}
        )
        for path in python_files()
        for node in functions(path)
    }

    assert {} == {name: depth for name, depth in depths.items() if depth > NESTING_MAX}


def _without_short_docstring(paths: list[Path]) -> Iterator[str]:
    for path in paths:
        docstring = ast.get_docstring(tree(path)) or ""
        if not 1 <= len(docstring.splitlines()) <= MODULE_DOCSTRING_LINES_MAX:
            yield f"{place(path)} has {len(docstring.splitlines())} lines"


def test_every_module_says_in_eight_lines_what_it_is_for() -> None:
    """The first lines of a module tell me whether I want to read on."""
    paths = python_files("src", "models", "properties", "tests", "ci/bench_suite")

    assert [] == list(_without_short_docstring(paths))


@pytest.mark.parametrize(("name", "lines_max"), [("conftest.py", 100), ("ARCHITECTURE.md", 80)])
def test_the_short_files_stay_short(name: str, lines_max: int) -> None:
    """What every newcomer reads first stays readable in one sitting."""
    assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= lines_max


@pytest.mark.parametrize(
    ("source", "depth"),
    [
        ("def f():\n if a:\n  b", 1),
        ("def f():\n if a:\n  b\n elif c:\n  d\n elif e:\n  g", 1),
        ("def f():\n for a in b:\n  with c:\n   try:\n    d\n   except E:\n    if e: g", 4),
        ("def f():\n if a:\n  def g():\n   if b: c", 1),
    ],
)
def test_the_nesting_is_counted_as_a_reader_counts_it(source: str, depth: int) -> None:
    """A chain of elif is one level; an inner function starts again."""
    assert depth == nesting(ast.parse(source).body[0], counts_with=True)
