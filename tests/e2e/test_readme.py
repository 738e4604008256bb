"""What the README shows is what a reader gets."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.e2e.test_first_machine import run_pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_the_machine_in_the_readme_is_the_one_in_the_example() -> None:
    """The first block is cut out of the file that one can run."""
    example = (ROOT / "docs" / "examples" / "test_summaries.py").read_text(encoding="utf-8")

    assert BLOCKS[0].strip() in example


def test_the_counter_in_the_readme_loses_an_update(tmp_path: Path) -> None:
    """The second block runs as it stands and fails as announced (a pytest process, ~2 s)."""
    (tmp_path / "test_counting.py").write_text(BLOCKS[1], encoding="utf-8")

    found = run_pytest(tmp_path, "test_counting.py")

    assert found.returncode == 1, found.stdout + found.stderr
    assert "increment_1 = state.increment()" in found.stdout
    assert "increment_2 = state.increment()" in found.stdout


@pytest.mark.parametrize("seed", [1, 2])
def test_the_story_of_the_account_is_the_one_in_the_page(tmp_path: Path, seed: int) -> None:
    """The page shows what its command prints, whatever the seed (a pytest process, ~3 s)."""
    page = (ROOT / "docs" / "concurrency.md").read_text(encoding="utf-8")
    example = ROOT / "docs" / "examples" / "test_account.py"
    shutil.copy(example, tmp_path)

    found = run_pytest(tmp_path, "test_account.py", f"--hypothesis-seed={seed}")

    code, shown = re.findall(r"```(?:python)?\n(.*?)```", page, flags=re.DOTALL)[:2]
    printed = "\n".join(re.sub("^E {7}?", "", line) for line in found.stdout.splitlines())
    assert found.returncode == 1, found.stdout + found.stderr
    assert shown.strip() in printed
    for definition in code.strip().split("\n\n\n"):
        assert definition in example.read_text(encoding="utf-8")


def test_every_fault_stands_in_the_readme() -> None:
    """The table of faults is whole."""
    from chaoscheck.plan.catalogue import FAULTS

    table = README.partition("| family | faults |")[2].partition("\n\n")[0]

    assert sorted(fault.name for fault in FAULTS) == sorted(re.findall(r"`(\w+)`", table))


def test_every_path_that_the_papers_name_is_there() -> None:
    """No link and no command leads nowhere."""
    papers = [README, *(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))]
    paths = {
        path
        for paper in papers
        for path in re.findall(r"(?:docs|tests|properties|ci|models|src)/[\w./-]*\w", paper)
    }

    assert sorted(path for path in paths if not (ROOT / path).exists()) == []
