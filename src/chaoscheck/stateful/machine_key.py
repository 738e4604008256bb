"""Under which names a machine's failures are kept, and found again."""

from __future__ import annotations

import sys
import unittest
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from chaoscheck.report.commands import node_id

# Theory of operation. A key must be the same in every run and on every computer, and no two
# machines may share one, or each forgets what the other found. A class that stands in its module
# has its qualified name for it. Machines that a factory or a loop makes share that name: they
# differ in the test that runs them, so its name goes with theirs, ``make.<locals>.Cache[TestBig]``.
# It is looked for in the modules that are loaded, since the class knows nothing of it.
#
# Stories that were kept under the bare name of such a machine are still its own.

__all__ = ["chaos_key_of", "database_key_of", "keys_of", "named_test", "tests_of"]


def chaos_key_of(machine: Any) -> str:
    """What a machine's failures are kept under: its own ``chaos_key``, else its qualified name.

    A machine that its module does not hold under that name is told apart by its test's name. A
    key is not inherited: a machine that is derived from another has other stories.
    """
    own = vars(machine).get("chaos_key")
    if own:
        return str(own)
    name = str(machine.__qualname__)
    if _stands_in_module(machine):
        return name
    test = _test_name_of(machine)
    return f"{name}[{test}]" if test else name


def keys_of(machine: Any) -> frozenset[str]:
    """Every key under which stories of the machine may have been kept, by older versions too."""
    own = vars(machine).get("chaos_key")
    return frozenset({str(own)} if own else {chaos_key_of(machine), str(machine.__qualname__)})


def named_test(key: str) -> str:
    """The name of the test in the key of a machine that has none of its own; else ""."""
    return key.rpartition("[")[2].removesuffix("]") if key.endswith("]") else ""


def database_key_of(machine: Any) -> str:
    """What Hypothesis's database knows a machine by: of two modules, each has its own examples."""
    key = chaos_key_of(machine)
    return key if vars(machine).get("chaos_key") else f"{machine.__module__}:{key}"


def _stands_in_module(machine: Any) -> bool:
    place: Any = sys.modules.get(machine.__module__)
    for name in machine.__qualname__.split("."):
        place = None if place is None else vars(place).get(name)
    return place is machine


def tests_of(machine: Any) -> list[tuple[str, str]]:
    """The test cases of a machine, by the names of their modules and their own; sorted."""
    modules = [each for each in list(sys.modules.values()) if isinstance(each, ModuleType)]
    return sorted((each.__name__, name) for each in modules for name in _tests_in(each, machine))


def _test_name_of(machine: Any) -> str:
    """The name of its test case in a module, else of the test that runs it now; "" if neither."""
    names = [name for _, name in tests_of(machine)]
    return min(names, default="") or node_id().partition("::")[2]


def _tests_in(module: ModuleType, machine: Any) -> Iterator[str]:
    for name, value in list(vars(module).items()):
        # By its type alone: asking an object that is loaded lazily for more may load it.
        if issubclass(type(value), type) and issubclass(value, unittest.TestCase):
            run = getattr(value, "runTest", None)
            if getattr(run, "_hypothesis_state_machine_class", None) is machine:
                yield name
