"""A newcomer's first run: the story that the README shows, and the command that replays it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "test_summaries.py"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of its own with the example in it, as a user's project would be."""
    shutil.copy(EXAMPLE, tmp_path)
    return tmp_path


def run_pytest(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A pytest process in ``place``, without this checkout's configuration."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=600,  # a busy machine is ten times as slow
        check=False,
    )


def test_the_first_machine_fails_with_a_story_and_its_replay_shows_it_again(place: Path) -> None:
    """Each run is a whole pytest process (~2 s): the promise is about what a user sees."""
    found = run_pytest(place, "test_summaries.py")

    assert found.returncode == 1, found.stdout + found.stderr
    assert "AssertionError: no answer for ['text 0']" in found.stdout
    assert "chaos.next_fault(status_429(" in found.stdout
    assert "state.ask()" in found.stdout
    command = re.search(r"pytest '([^']+)' --chaos-replay (\S+)", found.stdout)
    assert command is not None

    replayed = run_pytest(place, command[1], "--chaos-replay", command[2])

    assert replayed.returncode == 1, replayed.stdout + replayed.stderr
    assert "AssertionError: no answer for ['text 0']" in replayed.stdout
    assert story_of(found.stdout) == story_of(replayed.stdout)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["test_summaries.py", "--chaos-replay", "not a blob!"], "not a replay blob"),
        (["test_summaries.py", "--chaos-replay", "AA=="], "not a replay blob"),
        (["-k", "nothing", "--chaos-replay", "AABBAQ=="], "exactly one selected chaos machine"),
    ],
)
def test_a_replay_that_cannot_be_is_a_usage_error(
    place: Path, arguments: list[str], complaint: str
) -> None:
    """No test runs and no traceback is shown (a pytest process each, ~1 s)."""
    refused = run_pytest(place, *arguments)

    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert complaint in refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("--chaos-world", "lunar", "unknown world 'lunar'; legal: virtual, loopback"),
        ("--chaos-schedules", "best", "schedules must be 'fair' or 'any', got 'best'"),
        ("--chaos-subject", "retry", "a subject is KIND=MODULE:FACTORY, got 'retry'"),
        ("--chaos-subject", "retri=a:b", "unknown kind of subject 'retri'; did you mean 'retry'"),
        ("--chaos-subject", "retry=nowhere:make", "cannot import 'nowhere'"),
        ("--chaos-subject", "retry=collections:deque", "cannot build a retry"),
        ("--chaos-subject", "audit_trail=builtins:str", "makes no audit_trail: it lacks begin_run"),
    ],
)
def test_a_wrong_world_schedule_or_subject_is_a_usage_error(
    place: Path, option: str, value: str, complaint: str
) -> None:
    """No test is collected and no traceback is shown (a pytest process each, ~1 s)."""
    refused = run_pytest(place, "test_summaries.py", option, value)

    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"{option}: " in refused.stderr
    assert complaint in refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr


def test_the_first_machine_fails_on_real_tcp_as_well(place: Path) -> None:
    """The same story in a loopback world (one pytest process, ~3 s)."""
    found = run_pytest(place, "test_summaries.py", "--chaos-world", "loopback")

    assert found.returncode == 1, found.stdout + found.stderr
    assert "AssertionError: no answer for ['text 0']" in found.stdout


def test_a_story_that_no_longer_fails_says_so(place: Path) -> None:
    """A fixed bug, or a blob of another machine (one pytest process, ~1 s)."""
    replayed = run_pytest(place, "test_summaries.py", "--chaos-replay", "AAAA")

    assert replayed.returncode == 1
    assert "this story does not fail on Summaries as it is now" in replayed.stdout


def story_of(printed: str) -> list[str]:
    """The steps of the first story in what a run printed; pytest may print it again at the end."""
    first, _, _ = printed.partition("state.teardown()")
    return re.findall(r"(?:chaos|state)\.\w+\(.*", first)
