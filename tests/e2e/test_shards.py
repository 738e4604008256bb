"""One machine on several workers of pytest-xdist."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

from tests.e2e.test_first_machine import run_pytest, story_of

SOUND = """
import os
from hypothesis import settings
from hypothesis import strategies as st
from chaoscheck import ChaosMachine, rule

class Noting(ChaosMachine):
    @rule(number=st.integers(0, 2**64))
    def note(self, number):
        shard = os.environ["PYTEST_CURRENT_TEST"].partition("[")[2][0]
        with open(f"drawn-{shard}.txt", "a") as drawn:
            print(number, file=drawn)

TestNoting = Noting.TestCase
TestNoting.settings = settings(TestNoting.settings, max_examples=60, stateful_step_count=1)
"""

FAILING = """
from hypothesis import strategies as st
from chaoscheck import ChaosMachine, invariant, rule

class Adding(ChaosMachine):
    def setup(self):
        self.total = 0

    @rule(number=st.integers(0, 9))
    def add(self, number):
        self.total += number

    @invariant()
    def stays_small(self):
        assert self.total < 12

TestAdding = Adding.TestCase
"""


def test_shards_on_workers_share_the_examples_and_draw_different_ones(tmp_path: Path) -> None:
    """Two workers run three shards: as many examples as one test would, and no search twice.

    A pytest process with two workers takes about 4 s.
    """
    (tmp_path / "test_noting.py").write_text(SOUND, encoding="utf-8")

    run = run_pytest(
        tmp_path, "-n", "2", "--chaos-shards", "3", "--hypothesis-show-statistics", "test_noting.py"
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert "3 passed" in run.stdout
    drawn = [path.read_text().split() for path in sorted(tmp_path.glob("drawn-*.txt"))]
    assert ["20", "20", "20"] == re.findall(r"(\d+) passing,", run.stdout)
    # Some numbers are popular: Hypothesis tries bounds and constants in every search.
    assert [True] * 3 == [len(set(one) - set(other)) > 5 for one, other in combinations(drawn, 2)]


def test_what_a_shard_found_is_replayed_by_its_command_with_workers_and_without(
    tmp_path: Path,
) -> None:
    """The command that a failing shard prints is good anywhere (three pytest processes, ~8 s).

    Under a profile of ours: Hypothesis's own, where CI is set, repeats every run by itself.
    """
    (tmp_path / "test_adding.py").write_text(FAILING, encoding="utf-8")
    found = run_pytest(
        tmp_path, "-n", "2", "--chaos-no-save", "--hypothesis-profile=dev", "test_adding.py"
    )
    command = re.search(r"pytest '([^']+runTest\[\d/2\])' --chaos-replay (\S+)", found.stdout)

    assert found.returncode == 1, found.stdout + found.stderr
    assert "2 failed" in found.stdout
    assert "--hypothesis-seed=" in found.stdout
    assert command is not None

    for workers in ([], ["-n", "2"]):
        replayed = run_pytest(tmp_path, *workers, command[1], "--chaos-replay", command[2])

        assert "1 failed" in replayed.stdout, replayed.stdout + replayed.stderr
        assert 2 == len(story_of(replayed.stdout))
        assert story_of(found.stdout) == story_of(replayed.stdout)


def test_an_impossible_number_of_shards_is_a_usage_error(tmp_path: Path) -> None:
    """The message names the range, and nothing is collected (a pytest process, ~1 s)."""
    refused = run_pytest(tmp_path, "--chaos-shards", "0")

    assert refused.returncode == 4
    assert "--chaos-shards: must be in [1, 1000], got '0'" in refused.stderr


TWO_BUGS = """
from chaoscheck import ChaosMachine, rule

class Two(ChaosMachine):
    @rule()
    def one(self):
        raise KeyError("one")

    @rule()
    def other(self):
        raise OSError("other")

TestTwo = Two.TestCase
"""


def test_two_bugs_on_four_shards_are_two_stories(tmp_path: Path) -> None:
    """Each is told once and kept once; every shard is red and names who tells what it met.

    The first run searches, the second replays what was kept (two pytest processes, ~10 s).
    """
    (tmp_path / "test_two.py").write_text(TWO_BUGS, encoding="utf-8")

    for _ in range(2):
        run = run_pytest(tmp_path, "-n", "2", "--chaos-shards", "4", "test_two.py")

        assert run.returncode == 1, run.stdout + run.stderr
        assert "4 failed" in run.stdout
        assert 2 == run.stdout.count("The shortest story found:"), run.stdout
        assert "the story is told by test_two.py::TestTwo::runTest[" in run.stdout
        assert 2 == len(list((tmp_path / "regressions").glob("Two-*.json")))
