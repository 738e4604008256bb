"""What the pages in docs/ show is code that runs, and each message of ours stands in a page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import chaoscheck
from tests.e2e.test_first_machine import run_pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
SOURCE = ROOT / "src" / "chaoscheck"
RECIPES = ROOT / "docs" / "recipes.md"
TROUBLESHOOTING = ROOT / "docs" / "troubleshooting.md"

# What a page takes for granted: the imports of a test file, and what stands elsewhere.
PRELUDE = """
from dataclasses import dataclass
from typing import ClassVar
import httpx, pytest, trio
from hypothesis import strategies as st
from chaoscheck import *
from chaoscheck.plan.answer import Answer
from chaoscheck.plan.delivery import Act, Close, Send, Wait, Wire
from chaoscheck.plan.fault import Fault, require_at_least
from chaoscheck.world.choices import SeededChoices
AMOUNTS = st.integers(1, 9)
async def your_async_function(): await trio.sleep(1)
"""
RECIPES_PROFILE = """
from hypothesis import settings
settings.register_profile("few", max_examples=40, database=None, deadline=None)
settings.load_profile("few")
"""
# Whose messages users see, and where: every module's, but for PlanError only those of machines.
ERRORS = {
    "Deadlock", "Escape", "InternalError", "Livelock", "NotExercised", "SubjectError",
    "Uncancellable", "Unreproducible", "WorldError",
}  # fmt: skip


def blocks(page: Path) -> list[str]:
    """The Python blocks of a page."""
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_of_a_page_runs(page: Path) -> None:
    """Each block is executed after those above it; what it defines must be definable."""
    namespace: dict[str, Any] = {"__name__": "page"}
    name = settings.get_current_profile_name()
    profile = settings.get_profile(name)
    try:
        exec(compile(PRELUDE, "prelude", "exec"), namespace)
        for number, block in enumerate(blocks(page), start=1):
            where = f"{page.name}, block {number}"
            exec(compile(block, where, "exec", dont_inherit=True), namespace)
    finally:  # A page may make and load a profile, which must not be that of the tests after it.
        settings.register_profile(name, profile)
        settings.load_profile(name)


def test_every_recipe_is_a_test_file_that_passes(tmp_path: Path) -> None:
    """Each block is a file of its own (a pytest process that runs eight machines, ~10 s)."""
    (tmp_path / "conftest.py").write_text(RECIPES_PROFILE, encoding="utf-8")
    for number, block in enumerate(blocks(RECIPES)):
        (tmp_path / f"test_recipe_{number}.py").write_text(block, encoding="utf-8")

    found = run_pytest(tmp_path, "--chaos-no-save")

    assert found.returncode == 0, found.stdout + found.stderr


def messages() -> Iterator[tuple[str, str]]:
    """Where an error or a warning of ours is made, and the longest part that never differs."""
    for path in sorted(SOURCE.rglob("*.py")):
        place = path.relative_to(SOURCE)
        names = {*ERRORS, "warn", *(["PlanError"] if place.parts[0] == "stateful" else [])}
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
        for call in calls:
            literal = max(_literals(call.args[0]), key=len, default="")
            if literal and _called(call) in names:
                yield f"{place}:{call.lineno}", literal


def _called(call: ast.Call) -> str:
    named = call.func
    return named.attr if isinstance(named, ast.Attribute) else getattr(named, "id", "")


def _literals(message: ast.expr) -> list[str]:
    # Not what an expression within an f-string holds: that is no part of the shape.
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    constants = [part.value for part in parts if isinstance(part, ast.Constant)]
    texts = [value for value in constants if isinstance(value, str)]
    return [_plain(line) for text in texts for line in text.split("\n")]


def _plain(text: str) -> str:
    return re.sub(r"[\s*`]+", " ", text).strip()


def test_every_message_stands_in_the_page_on_troubles() -> None:
    """I search the page for my message, and find its cause and its cure."""
    page = _plain(TROUBLESHOOTING.read_text(encoding="utf-8"))

    assert [] == [f"{place}: {literal}" for place, literal in messages() if literal not in page]


def test_every_class_of_error_is_explained() -> None:
    """Each class of errors.py has a line in the page."""
    page = TROUBLESHOOTING.read_text(encoding="utf-8")
    defined = re.findall(r"^class (\w+)", (SOURCE / "errors.py").read_text(), flags=re.MULTILINE)

    assert [] == [name for name in defined if name not in page]
    assert chaoscheck.__all__  # the front door can be imported where the pages say so
