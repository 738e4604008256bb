"""How a mutant's code gets into a process: into a live function, or by importing the module."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any

from mutations import Mutant

__all__ = ["MutantFinder", "is_imported", "live_function", "swap_code"]


def live_function(mutant: Mutant) -> FunctionType:
    """The function of the imported module in whose body the change is. RuntimeError if none."""
    found: Any = sys.modules.get(mutant.module)
    if found is None:
        raise RuntimeError(f"no law imports {mutant.module}")
    for part in (mutant.function or "").split("."):
        found = _unwrapped(vars(found).get(part))
    if not isinstance(found, FunctionType):
        raise RuntimeError(f"{mutant.module} has no function {mutant.function}")
    return found


def swap_code(mutant: Mutant) -> None:
    """Give the live function the changed code; whoever holds the function runs that."""
    function = live_function(mutant)
    [code] = [each for each in _codes(mutant.code()) if each.co_qualname == mutant.function]
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
