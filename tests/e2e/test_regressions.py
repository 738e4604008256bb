"""A failing chaos sequence is one file and one command away from anybody who pulls the branch."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# The machine takes its limit from a module beside it, found through `pythonpath` as pytest does.
MACHINE = """
import pytest
from hypothesis import settings, strategies as st
from chaoscheck import ChaosMachine, invariant, rule
from product.limits import LIMIT


class Counter(ChaosMachine):
    def setup(self):
        self.total = 0

    @rule(by=st.integers(0, 9))
    def add(self, by):
        self.total += by

    @invariant()
    def stays_small(self):
        assert self.total < LIMIT


TestCounter = Counter.TestCase
TestCounter.settings = settings(max_examples=50)


def test_something_else():
    pass
"""
OPTIONS = """
[tool.pytest.ini_options]
pythonpath = ['src']
markers = ['slow']
addopts = ['--import-mode=importlib', '-m', 'not slow', '-n', '1']
filterwarnings = ['error']
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Somebody's project, configured in a way that must not disturb a replay."""
    place = tmp_path / "project"
    (place / "tests").mkdir(parents=True)
    (place / "src" / "product").mkdir(parents=True)
    (place / "src" / "product" / "limits.py").write_text("LIMIT = 9\n", encoding="utf-8")
    (place / "tests" / "test_counter.py").write_text(MACHINE, encoding="utf-8")
    (place / "tests" / "deploy.py").write_text("raise SystemExit('Counter')\n", encoding="utf-8")
    (place / "pyproject.toml").write_text(OPTIONS, encoding="utf-8")
    return place


def run(place: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command in ``place``."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=place,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def pytest_run(place: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A run of the project's tests, by no worker but this one unless ``arguments`` say so."""
    return run(place, "pytest", "-q", "-n", "0", *arguments, **variables)


def files(place: Path) -> list[Path]:
    """The kept stories."""
    return sorted((place / "tests" / "regressions").glob("*"))


def mend(place: Path) -> None:
    """Fix the bug."""
    (place / "src" / "product" / "limits.py").write_text("LIMIT = 10**9\n", encoding="utf-8")


def test_a_failure_is_one_file_and_one_command_away_from_everybody(
    project: Path, tmp_path: Path
) -> None:
    """Found by two workers, pulled by a CI machine, its test renamed, replayed, mended, guarded.

    Six processes, each a whole run (~12 s): the promise is about what people type.
    """
    found = pytest_run(project, "-n", "2", CI="")
    assert found.returncode == 1, found.stdout + found.stderr
    [file] = files(project)
    assert f"commit tests/regressions/{file.name}" in found.stdout

    pulled = tmp_path / "elsewhere" / "clone"
    shutil.copytree(project, pulled, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    (pulled / "tests" / "test_counter.py").rename(pulled / "tests" / "test_renamed.py")
    command = re.search(r"chaoscheck replay (\S+)", found.stdout)
    assert command is not None

    replayed = run(pulled, "chaoscheck", "replay", command[1], CI="1")
    assert replayed.returncode == 1, replayed.stdout + replayed.stderr
    assert "state.add(by=9)" in replayed.stdout
    assert "stays_small: AssertionError" in replayed.stdout
    by_pytest = pytest_run(pulled, "--chaos-replay", command[1], CI="1")
    assert by_pytest.returncode == 1, by_pytest.stdout + by_pytest.stderr
    assert "1 failed" in by_pytest.stdout

    again = pytest_run(pulled, "--hypothesis-seed=3", CI="1")
    assert "This story was kept." in again.stdout
    assert [file.name] == [each.name for each in files(pulled)]

    mend(pulled)
    passed = run(pulled, "chaoscheck", "replay", command[1], "--json", CI="1")
    assert (0, "passes") == (passed.returncode, json.loads(passed.stdout)["status"])
    assert pytest_run(pulled, CI="1").returncode == 0


def test_every_kind_of_file_is_told_apart(project: Path) -> None:
    """verify, prune and a test run over stories that pass, fail, are stale, and are broken.

    Five processes (~6 s).
    """
    assert pytest_run(project, "--chaos-no-save").returncode == 1
    assert files(project) == []
    keep(project, "Counter-fails.json", [add(9)])
    keep(project, "Counter-passes.json", [add(1)])
    keep(project, "Counter-stale.json", [{"number": 1, "rule": "gone"}])
    keep(project, "Nobody-stale.json", [add(9)], chaos_key="Nobody", file="deploy.py")
    (project / "tests" / "regressions" / "Counter-broken.json").write_text("{", encoding="ascii")

    verified = run(project, "chaoscheck", "regressions", "verify", "--json")
    assert verified.returncode == 1, verified.stderr
    told = {Path(each["file"]).name: each for each in json.loads(verified.stdout)["stories"]}
    assert {
        "Counter-fails.json": "fails",
        "Counter-passes.json": "passes",
        "Counter-stale.json": "stale",
        "Nobody-stale.json": "stale",
        "Counter-broken.json": "broken",
    } == {name: each["status"] for name, each in told.items()}
    assert ["step 1: there is no rule 'gone' now"] == told["Counter-stale.json"]["reasons"]

    mend(project)
    ran = pytest_run(project)
    assert ran.returncode == 1, "a broken file of the machine must not be green"
    assert "Counter-broken.json is broken: not JSON" in ran.stdout
    assert "Counter-stale.json is stale: step 1: there is no rule 'gone' now" in ran.stdout

    run(project, "chaoscheck", "regressions", "prune")
    assert len(files(project)) == 5
    run(project, "chaoscheck", "regressions", "prune", "--yes")
    left = ["Counter-broken.json", "Counter-fails.json", "Counter-passes.json"]
    assert left == [path.name for path in files(project)]


def test_a_replay_that_cannot_be_is_bad_usage(project: Path) -> None:
    """A world that is unknown, a project that is misconfigured (two processes, ~2 s)."""
    file = keep(project, "Counter-fails.json", [add(9)])

    lunar = run(project, "chaoscheck", "replay", str(file), "--world", "lunar")
    assert (2, "") == (lunar.returncode, lunar.stdout)
    assert "unknown world 'lunar'" in lunar.stderr

    (project / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = ['--nope']")
    broken = run(project, "chaoscheck", "replay", str(file))
    assert broken.returncode == 2
    assert "--nope" in broken.stderr


def add(by: int) -> dict[str, object]:
    """A step."""
    return {"number": 1, "rule": "add", "arguments": {"by": by}}


def keep(
    project: Path,
    name: str,
    steps: list[dict[str, object]],
    *,
    chaos_key: str = "Counter",
    file: str = "test_counter.py",
) -> Path:
    """A file as the documentation describes it."""
    path = project / "tests" / "regressions" / name
    path.parent.mkdir(exist_ok=True)
    made = {
        "format": "chaoscheck regression",
        "version": 1,
        "chaos_key": chaos_key,
        "machine": {"file": file, "class": chaos_key},
        "world": "virtual",
        "law": {"name": "stays_small", "exception": "AssertionError", "message": ""},
        "story": [],
        "program": {"steps": steps, "holds": []},
        "digest": "",
        "versions": {},
    }
    path.write_text(json.dumps(made), encoding="utf-8")
    return path


NO_EXCEPTION = """
import pytest
from chaoscheck import ChaosMachine, rule

class Refusing(ChaosMachine):
    def setup(self):
        self.count = 0

    @rule()
    def add(self):
        self.count += 1

    @rule()
    def refuse(self):
        with pytest.raises(ValueError, match="x"):
            if self.count < 2:
                raise ValueError("x")

    @rule()
    def misuse(self):
        if self.count > 40:
            self.world.advance(-1)

TestRefusing = Refusing.TestCase
"""


def test_a_pytest_raises_that_met_nothing_is_kept_and_replayed_as_any_failure(
    tmp_path: Path,
) -> None:
    """It is no Exception (three processes, ~8 s)."""
    (tmp_path / "test_refusing.py").write_text(NO_EXCEPTION, encoding="utf-8")

    found = pytest_run(tmp_path, "test_refusing.py")
    [kept] = (tmp_path / "regressions").glob("*.json")
    again = pytest_run(tmp_path, "test_refusing.py")
    told = run(tmp_path, "chaoscheck", "regressions", "list")

    story = ["state.add()", "state.add()", "state.refuse()"]
    assert kept.name.startswith("Refusing-")
    for printed in (found.stdout, again.stdout):
        assert story == re.findall(r"state\.(?!teardown)\w+\(\)", printed.partition("teardown")[0])
    assert "refuse: Failed: DID NOT RAISE ValueError (test_refusing.py:15)" in told.stdout
