"""What a result depends on here: the component, property files, and what those import of ours."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

__all__ = ["digest_of"]

_BOXES = ("properties", "models")


def digest_of(root: Path, component: Path, files: Iterable[str], examples: int | None) -> str:
    """A digest of these sources, and of how many examples a property has."""
    paths = {component}
    for name in files:
        paths |= _with_imports(root, root / name)
    digest = hashlib.sha256(repr(examples).encode())
    for path in sorted(paths):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def _with_imports(root: Path, path: Path) -> frozenset[Path]:
    """The file and what it imports of ``properties`` and ``models``, and what that imports …"""
    found: set[Path] = set()
    left = [path]
    while left:
        each = left.pop()
        if each not in found and each.exists():
            found.add(each)
            left += _imports(root, each)
    return frozenset(found)


def _imports(root: Path, path: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] in _BOXES:
                yield (root / Path(*name.split("."))).with_suffix(".py")
