"""How ``ci/mutants`` chooses tests: what reaches a mutant, and what it costs."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from law_sources import digest_of
from mutant_code import watch_statements
from mutant_limits import was_out_of_time
from mutant_runs import Control, Task
from mutations import Mutant, mutants_of

ROOT = Path(__file__).parents[3]
SOURCE = '''LIMIT = 3


def sign(number: int) -> str:
    """Of a number."""
    if number < 0:
        return "-"
    elif number == 0:
        return ""
    for _ in range(number):
        number -= 1
    else:
        number = LIMIT

    def inner() -> str:
        return "+"

    return inner()
'''


@pytest.fixture
def mutants(tmp_path: Path) -> Any:
    """The mutants of a module that is imported as ``signs``."""
    path = tmp_path / "signs.py"
    path.write_text(SOURCE, encoding="utf-8")
    module = ModuleType("signs")
    exec(compile(SOURCE, str(path), "exec"), vars(module))
    sys.modules["signs"] = module
    yield mutants_of("signs", path)
    del sys.modules["signs"]


def lines_of(*texts: str) -> set[int]:
    """The numbers of the lines that hold these texts."""
    return {n for n, line in enumerate(SOURCE.splitlines(), 1) if any(t in line for t in texts)}


@pytest.mark.parametrize(
    ("number", "reached"),
    [
        (-1, lines_of('"""', "if number < 0", 'return "-"')),
        (0, lines_of('"""', "if number", 'return ""')),
        (1, lines_of('"""', "if", "for", "-= 1", "= LIMIT", "def inner", '"+"', "inner()")),
    ],
)
def test_the_statements_that_a_call_begins_are_noted(
    mutants: list[Mutant], number: int, reached: set[int]
) -> None:
    """Those of inner functions and of each branch too, and the call returns what it did."""
    module: Any = sys.modules["signs"]
    expected = module.sign(number)

    noted = watch_statements(mutants)

    assert expected == module.sign(number)
    assert reached == noted


def test_a_mutant_knows_the_statement_that_holds_it(mutants: list[Mutant]) -> None:
    """An expression within a branch belongs to the branch's line; the module's belong to none."""
    by_name = {mutant.name: mutant for mutant in mutants}

    minus = by_name["sign: constant: '-' -> '-~'"]
    assert {minus.statement} == lines_of('return "-"')
    assert {by_name["sign.inner: constant: '+' -> '+~'"].statement} == lines_of('return "+"')
    assert by_name["module: constant: 3 -> 4"].function is None


def test_tests_are_known_by_what_they_reach_and_what_they_cost(mutants: list[Mutant]) -> None:
    """One that is new may reach anything; without a limit none costs too much."""
    [minus] = [mutant for mutant in mutants if mutant.name == "sign: constant: '-' -> '-~'"]
    tests = {
        "reaches": Control(cpu_s=0.5, reached=(1, minus.statement)),
        "elsewhere": Control(cpu_s=2.5, reached=(1,)),
    }
    task = Task(files=(), seeds=(0,), tests=tests)
    cheap = Task(files=(), seeds=(0,), tests=tests, test_cpu_s=1)

    names = ["reaches", "elsewhere", "new"]
    assert [name for name in names if task.reaches(name, minus)] == ["reaches", "new"]
    assert [name for name in names if task.admits(name)] == names
    assert [name for name in names if cheap.admits(name)] == ["reaches", "new"]


def test_what_no_test_reaches_is_changed_before_the_import(mutants: list[Mutant]) -> None:
    """A function that is called while its module is imported has done its work by then."""
    by_name = {mutant.name: mutant for mutant in mutants}
    minus, plus = (
        by_name["sign: constant: '-' -> '-~'"],
        by_name["sign.inner: constant: '+' -> '+~'"],
    )
    control = Control(cpu_s=0.5, reached=(minus.statement,))
    task = Task(files=(), seeds=(0,), tests={"reaches": control})

    assert task.at_import(by_name["module: constant: 3 -> 4"])
    assert task.at_import(plus)
    assert not task.at_import(minus)
    assert not Task(files=(), seeds=(0,)).at_import(plus)  # nothing is known yet


def test_a_result_depends_on_what_its_laws_import_of_ours(tmp_path: Path) -> None:
    """On the component, the property file, its helpers and models, and on how many examples."""
    for name, text in {
        "part.py": "",
        "properties/test_a.py": "from properties.helper import x\n",
        "properties/test_b.py": "import models.other\n",
        "properties/helper.py": "from models import deep\n",
        "models/deep.py": "",
        "models/other.py": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def digests() -> list[str]:
        files = ["properties/test_a.py"]
        part = tmp_path / "part.py"
        return [digest_of(tmp_path, part, files, n) for n in (None, 10)]

    before = digests()
    assert before[0] != before[1]
    for name, matters in {
        "models/other.py": False,
        "properties/test_b.py": False,
        "models/deep.py": True,
        "properties/helper.py": True,
        "properties/test_a.py": True,
        "part.py": True,
    }.items():
        path = tmp_path / name
        path.write_text(f"{path.read_text(encoding='utf-8')}# changed\n", encoding="utf-8")
        after = digests()
        assert (after != before) == matters, name
        before = after


@pytest.mark.parametrize(("status", "expected"), [(0, False), (42 << 8, False), (9, False)])
def test_only_a_limit_of_time_is_a_time_out(status: int, expected: bool) -> None:
    """Exit codes and other signals are not."""
    assert expected == was_out_of_time(status)
    assert was_out_of_time(24)  # SIGXCPU
    assert was_out_of_time(14)  # SIGALRM
