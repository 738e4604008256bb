"""The mutants of ``ci/mutants``: which there are, what they are called, how their code gets in."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import equivalents
from judged_by import COMPONENTS, module_of
from mutant_code import swap_code
from mutant_report import Digest, Report
from mutant_runs import SeedRun
from mutations import Mutant, mutants_of

ROOT = Path(__file__).parents[3]
SOURCE = '''"""A module with a docstring, which nobody mutates."""

from functools import cache

LIMIT = 3


class Door:
    """It counts who comes in."""

    def __init__(self, room: int = LIMIT) -> None:
        self.room = room

    @property
    def open(self) -> bool:
        """Whether there is room."""
        return 0 < self.room

    @classmethod
    def wide(cls) -> "Door":
        return cls(max(10, LIMIT))

    def enter(self) -> str:
        if not self.open:
            raise ValueError(f"no room: {self.room}")
        self.room -= 1
        return "in"


@cache
def twice(number: int) -> int:
    def inner() -> int:
        return number * 2

    return inner()
'''


@pytest.fixture
def mutants(tmp_path: Path) -> Iterator[list[Mutant]]:
    """The mutants of a module that is imported as ``door``."""
    path = tmp_path / "door.py"
    path.write_text(SOURCE, encoding="utf-8")
    module = ModuleType("door")
    exec(compile(SOURCE, str(path), "exec"), vars(module))
    sys.modules["door"] = module
    yield mutants_of("door", path)
    del sys.modules["door"]


def named(mutants: list[Mutant], name: str) -> Mutant:
    """The only one of this name."""
    [found] = [mutant for mutant in mutants if mutant.name == name]
    return found


def test_each_mutant_says_what_it_does_and_where(mutants: list[Mutant]) -> None:
    """Names are unique, know of no line, and leave out what only readers see."""
    assert {
        "module: constant: 3 -> 4",
        "Door.open: comparison: 0 < self.room -> 0 <= self.room",
        "Door.open: comparison: 0 < self.room -> 0 >= self.room",
        "Door.open: constant: 0 -> 1",
        "Door.open: returned: return 0 < self.room -> return None",
        "Door.wide: bound: max(10, LIMIT) -> 10",
        "Door.wide: bound: max(10, LIMIT) -> LIMIT",
        "Door.wide: constant: 10 -> 11",
        "Door.wide: returned: return cls(max(10, LIMIT)) -> return None",
        "Door.__init__: deletion: self.room = room -> pass",
        "Door.enter: negation: not self.open -> self.open",
        "Door.enter: deletion: raise ValueError(f'no room: {self.room}') -> pass",
        "Door.enter: deletion: self.room -= 1 -> pass",
        "Door.enter: constant: 1 -> 2",
        "Door.enter: constant: 'in' -> 'in~'",
        "twice.inner: arithmetic: number * 2 -> number / 2",
        "twice.inner: constant: 2 -> 3",
        "twice.inner: returned: return number * 2 -> return None",
        "twice: returned: return inner() -> return None",
    } == {mutant.name for mutant in mutants}
    assert max(Counter(mutant.name for mutant in mutants).values()) == 1


@pytest.mark.parametrize(
    ("name", "asked", "expected"),
    [
        ("Door.open: constant: 0 -> 1", "Door(1).open", False),
        ("Door.wide: bound: max(10, LIMIT) -> LIMIT", "Door.wide().room", 3),
        ("Door.enter: constant: 'in' -> 'in~'", "Door().enter()", "in~"),
        ("twice.inner: constant: 2 -> 3", "twice(5)", 15),
    ],
)
def test_a_live_function_takes_the_changed_code(
    mutants: list[Mutant], name: str, asked: str, expected: object
) -> None:
    """A method, a property, a class method and what a decorator wraps: in place, without import."""
    swap_code(named(mutants, name))

    door: Any = sys.modules["door"]
    assert expected == eval(asked, vars(door))


def test_a_constant_of_the_module_needs_an_import(mutants: list[Mutant]) -> None:
    """What runs once, at import, cannot be changed afterwards."""
    changed = named(mutants, "module: constant: 3 -> 4")

    assert changed.function is None
    assert named(mutants, "twice.inner: constant: 2 -> 3").function == "twice"
    module = ModuleType("changed")
    exec(changed.code(), vars(module))
    assert vars(module)["LIMIT"] == 4


def test_a_mutation_that_no_process_imports_is_an_error(mutants: list[Mutant]) -> None:
    """Else it would survive, or be killed, by an unchanged component."""
    del sys.modules["door"]
    try:
        with pytest.raises(RuntimeError, match="no law imports door"):
            swap_code(named(mutants, "Door.open: constant: 0 -> 1"))
    finally:
        sys.modules["door"] = ModuleType("door")


def test_a_sample_stays_when_a_mutant_is_added(mutants: list[Mutant]) -> None:
    """Which ones a seed draws depends on each one's name alone."""
    drawn = equivalents.sampled(mutants[1:], 5, seed=7)
    again = equivalents.sampled(mutants, 5, seed=7)

    assert len(drawn) == 5
    assert set(again) - {mutants[0]} <= set(drawn)
    assert drawn == [mutant for mutant in mutants if mutant in drawn]


def test_a_report_is_resumed_where_it_was_left(mutants: list[Mutant], tmp_path: Path) -> None:
    """A result counts while its sources are the same, and if it is of all seeds or a survivor's."""
    path = tmp_path / "report.json"
    report = Report(path)
    killed, survivor, missing = mutants[:3]
    report.keep("door", killed, _digest("v1"), [_run(0, "killed"), _run(1, "timed_out")])
    report.keep("door", survivor, _digest("v1"), [_run(0, "survived")])

    resumed = Report(path)

    assert not resumed.needs("door", killed.name, _digest("v1"), [0, 1])
    assert resumed.needs("door", killed.name, _digest("v1"), [0, 1, 2])
    assert resumed.needs("door", killed.name, _digest("v2"), [0, 1])
    assert not resumed.needs("door", survivor.name, _digest("v1"), [0, 1])
    assert resumed.needs("door", missing.name, _digest("v1"), [0, 1])
    assert resumed.share_killed(["door"]) == 0.5
    assert Report(path, fresh=True).needs("door", killed.name, _digest("v1"), [0, 1])


def test_a_killed_mutant_stays_killed_while_the_law_that_killed_it_does(
    mutants: list[Mutant], tmp_path: Path
) -> None:
    """A survivor is tried again after a change of any law, a killed one after one of its own."""
    report = Report(tmp_path / "report.json")
    killed, survivor, gone = mutants[:3]
    report.keep("door", killed, _digest("v1"), [_run(0, "killed"), _run(1, "killed")])
    report.keep("door", survivor, _digest("v1"), [_run(0, "survived")])
    report.keep("door", gone, _digest("v1"), [_run(0, "survived")])

    elsewhere = _digest("v1", everything="v2")

    assert not report.needs("door", killed.name, elsewhere, [0, 1])
    assert report.needs("door", survivor.name, elsewhere, [0, 1])
    report.drop_all_but("door", {killed.name, survivor.name})
    assert report.counts("door")["mutants"] == 2


def _digest(of_the_killer: str, everything: str | None = None) -> Digest:
    """The digest of the file that kills, and that of all files."""

    def digest(files: frozenset[str] | None) -> str:
        return (everything or of_the_killer) if files is None else of_the_killer

    return digest


def _run(seed: int, result: Any) -> SeedRun:
    by = None if result == "survived" else "properties/test_door.py::test_it_opens"
    return SeedRun(seed=seed, result=result, by=by, cpu_s=0.1)


def test_every_component_and_every_property_file_that_the_table_names_is_there() -> None:
    """A component that is added is judged by some law, or says here that it is not."""
    components = {path.stem for path in (ROOT / "src/chaoscheck/components").glob("*.py")}
    # Empty but for a docstring; nothing but base classes, which no law can see change.
    unjudged = {"__init__", "audited_transport", "audited_transport_httpx2"}

    assert components - unjudged == set(COMPONENTS)
    for files in COMPONENTS.values():
        assert all((ROOT / "properties" / f"{name}.py").exists() for name in files)


def test_every_mutant_that_is_said_to_be_equivalent_exists() -> None:
    """A reason that nobody needs any more is taken out."""
    there = {
        name: mutants_of(module_of(name), ROOT / "src/chaoscheck/components" / f"{name}.py")
        for name in COMPONENTS
    }

    assert equivalents.stale(there) == []
