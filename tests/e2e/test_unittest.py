"""A machine under ``python -m unittest``: the command that a failure prints runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

MACHINE = """
import unittest
from hypothesis import strategies as st
from chaoscheck import ChaosMachine, rule

class Adding(ChaosMachine):
    def setup(self):
        self.total = 0

    @rule(data=st.data())
    def add(self, data):
        self.total += data.draw(st.integers(0, 9))
        assert self.total < 12

TestAdding = Adding.TestCase

if __name__ == "__main__":
    unittest.main()
"""


def run(command: str, folder: Path) -> str:
    """What a shell prints of a command with this interpreter, as if no pytest ran."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("command", "replay"),
    [
        ("python -m unittest test_adding", "python -m unittest test_adding.TestAdding"),
        ("python test_adding.py", "python test_adding.py TestAdding"),
        (
            "python -m unittest discover -s inner",
            "PYTHONPATH=inner python -m unittest test_adding.TestAdding",
        ),
    ],
    ids=["by module", "as a script", "discovered"],
)
def test_a_failure_under_unittest_prints_a_command_that_replays_it(
    command: str, replay: str, tmp_path: Path
) -> None:
    """Pasted into the same shell it tells the same story (two processes, ~3 s)."""
    place = tmp_path / "inner" if "inner" in command else tmp_path
    place.mkdir(exist_ok=True)
    (place / "test_adding.py").write_text(MACHINE, encoding="utf-8")

    found = run(command, tmp_path)
    printed = re.search(r"Replay this story: (CHAOSCHECK_REPLAY=\S+ (.*))", found)

    assert printed is not None, found
    assert replay == printed[2]
    assert "pytest" not in printed[1]
    again = run(printed[1], tmp_path)
    story = [line for line in found.splitlines() if line.startswith(("state", "Draw"))]
    assert 2 <= sum(line.startswith("Draw") for line in story)
    assert story == [line for line in again.splitlines() if line.startswith(("state", "Draw"))]
    assert "Ran 1 test" in again
