"""What the architecture tests look at: this checkout's files, and their syntax trees."""

from __future__ import annotations

import ast
import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "chaoscheck"


@cache
def files() -> tuple[Path, ...]:
    """Every file that git tracks or would track, sorted."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        # On CI an absent witness is a failure; elsewhere the source may have come without git.
        absent = pytest.fail if os.environ.get("CHAOSCHECK_CI") == "1" else pytest.skip
        absent(f"needs a git checkout: {error}")
    named = (ROOT / name for name in sorted(set(listed.split("\0"))) if name)
    return tuple(path for path in named if path.is_file())


def python_files(*folders: str) -> list[Path]:
    """The Python files below ``folders``, or all of them when none is named."""
    below = [ROOT / folder for folder in folders] or [ROOT]
    return [
        path
        for path in files()
        if path.suffix == ".py" and any(path.is_relative_to(folder) for folder in below)
    ]


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of ``path``."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of ``path``, methods and inner ones included."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree(path)) if isinstance(node, kinds)]


def place(path: Path, line: int | None = None) -> str:
    """``path`` as a reader names it, from the root, with its line."""
    name = path.relative_to(ROOT).as_posix()
    return name if line is None else f"{name}:{line}"
