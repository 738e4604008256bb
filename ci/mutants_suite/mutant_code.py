"""How a mutant's code gets into a process: into a live function, or by importing the module."""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from mutations import Mutant

__all__ = ["MutantFinder", "is_imported", "live_function", "swap_code", "watch_statements"]


def live_function(module: str, name: str | None) -> FunctionType:
    """The function with this qualified name in the imported module. RuntimeError if none."""
    found: Any = sys.modules.get(module)
    if found is None:
        raise RuntimeError(f"no law imports {module}")
    for part in (name or "").split("."):
        found = _unwrapped(vars(found).get(part))
    if not isinstance(found, FunctionType):
        raise RuntimeError(f"{module} has no function {name}")
    return found


def swap_code(mutant: Mutant) -> None:
    """Give the live function the changed code; whoever holds the function runs that."""
    _swap(mutant.module, mutant.function, mutant.code())


def watch_statements(mutants: Iterable[Mutant]) -> set[int]:
    """A set to which the functions of ``mutants`` add the line of each statement they begin."""
    reached: set[int] = set()
    functions = {(mutant.module, mutant.function): mutant.path for mutant in mutants}
    for (module, name), path in functions.items():
        if name is not None:
            _swap(module, name, _watched(path))
            vars(sys.modules[module])[_WATCH] = reached.add
    return reached


_WATCH = "__reached__"


def _watched(path: Path) -> CodeType:
    """The module's code, with a call of ``__reached__`` before each statement in a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in [function, *_nodes_within(function)]:
                _watch_blocks(node)
    code: CodeType = compile(ast.fix_missing_locations(tree), str(path), "exec", dont_inherit=True)
    return code


def _watch_blocks(node: ast.AST) -> None:
    for field in ("body", "orelse", "finalbody"):
        block = getattr(node, field, None)
        if isinstance(block, list):
            calls = [(_call_of_watch(each), each) for each in block]
            setattr(node, field, [statement for pair in calls for statement in pair])


def _call_of_watch(statement: ast.stmt) -> ast.stmt:
    called = ast.Name(_WATCH, ast.Load())
    call = ast.Expr(ast.Call(called, [ast.Constant(statement.lineno)], []))
    return ast.copy_location(call, statement)


def _nodes_within(function: ast.AST) -> list[ast.AST]:
    """Every node in a function's body, but for those of functions and classes within it."""
    nodes: list[ast.AST] = []
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            nodes += [child, *_nodes_within(child)]
    return nodes


def _swap(module: str, name: str | None, changed: CodeType) -> None:
    function = live_function(module, name)
    [code] = [each for each in _codes(changed) if each.co_qualname == name]
    function.__code__ = code


def _unwrapped(found: Any) -> Any:
    """What a property, a class method or a decorator of the standard library wraps."""
    while not isinstance(found, FunctionType | type) or hasattr(found, "__wrapped__"):
        inner = getattr(found, "fget", None) or getattr(found, "__func__", None)
        inner = inner or getattr(found, "__wrapped__", None)
        if inner is None:
            break
        found = inner
    return found


def _codes(code: CodeType) -> Iterator[CodeType]:
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield const
            yield from _codes(const)


class MutantFinder(importlib.abc.MetaPathFinder):
    """Finds one module and gives it the mutant's code."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of the mutant's module; None for any other."""
        if fullname != self.mutant.module:
            return None
        loader = _MutantLoader(fullname, str(self.mutant.path))
        loader.mutant = self.mutant
        return importlib.util.spec_from_file_location(fullname, self.mutant.path, loader=loader)


class _MutantLoader(importlib.machinery.SourceFileLoader):
    mutant: Mutant

    def get_code(self, fullname: str) -> CodeType:
        """The changed module, compiled; no file is written."""
        return self.mutant.code()


def is_imported(mutant: Mutant) -> bool:
    """Whether this process has imported the mutant in the place of its module."""
    loaded = sys.modules.get(mutant.module)
    return isinstance(getattr(loaded, "__loader__", None), _MutantLoader)
