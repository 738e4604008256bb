"""``chaoscheck regressions``, as far as it runs no machine; tests/e2e runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from chaoscheck import cli
from chaoscheck.regressions.folder import Folder
from tests.unit.regressions.stories import add, regression


def run(*arguments: object) -> Result:
    """The console script."""
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A kept story."""
    folder = Folder(tmp_path / "regressions")
    with folder.locked():
        return folder.write(regression(add(1, 9)))


def test_list_names_every_story_and_every_broken_file(file: Path, tmp_path: Path) -> None:
    """One command tells me what is kept."""
    (file.parent / "junk.json").write_text("{", encoding="ascii")

    told, as_json = (
        run("regressions", "list", tmp_path),
        run("regressions", "list", tmp_path, "--json"),
    )

    assert 0 == told.exit_code == as_json.exit_code
    assert f"{file}  2 lines  stays_small: AssertionError: counted 9" in told.output
    assert "junk.json  BROKEN: not JSON" in told.output
    made = json.loads(as_json.output)
    assert [str(file)] == [story["file"] for story in made["stories"]]
    assert "stays_small" == made["stories"][0]["law"]["name"]
    assert 1 == len(made["broken"])


def test_show_tells_a_story_and_imports_no_test(file: Path) -> None:
    """I can read a file from anywhere, also without its tests."""
    told, as_json = run("regressions", "show", file), run("regressions", "show", file, "--json")

    assert (0, 0) == (told.exit_code, as_json.exit_code)
    assert "2. add with by = 9" in told.output
    assert "2. add with by = 9" in json.loads(as_json.output)["told"]


def test_export_prints_a_test(file: Path) -> None:
    """What it prints can be pasted; as JSON it says where."""
    told, as_json = run("regressions", "export", file), run("regressions", "export", file, "--json")

    assert (0, 0) == (told.exit_code, as_json.exit_code)
    assert "require_passes(Counter, program" in told.output
    made = json.loads(as_json.output)
    assert ("test_counter.py", told.output) == (made["paste_into"], made["code"])


@pytest.mark.parametrize("command", ["show", "export", "replay"])
def test_a_broken_file_is_bad_usage_and_named(command: str, tmp_path: Path) -> None:
    """Exit 2, one line, no traceback."""
    file = tmp_path / "broken.json"
    file.write_text('{"format": "chaos', encoding="ascii")

    result = run(*([] if command == "replay" else ["regressions"]), command, file)

    assert 2 == result.exit_code
    assert f"Error: {file}: not JSON" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["regressions", "list", "nowhere"],
        ["regressions", "verify", "nowhere"],
        ["regressions", "prune", "nowhere"],
        ["regressions", "show"],
        ["replay", "nowhere.json"],
    ],
)
def test_what_is_not_there_is_bad_usage(arguments: list[str]) -> None:
    """A typing mistake is told from a law that broke."""
    result = run(*arguments)

    assert 2 == result.exit_code
    assert "Traceback" not in result.output


def test_verify_without_stories_is_good(tmp_path: Path) -> None:
    """A project that keeps none has nothing that fails; nothing is collected."""
    result = run("regressions", "verify", tmp_path, "--json")

    assert 0 == result.exit_code
    assert {"ok": True, "passes": 0, "stale": 0, "fails": 0, "broken": 0, "stories": []} == (
        json.loads(result.output)
    )


def test_a_hostile_file_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """Neither its name nor what it says."""
    folder = Folder(tmp_path / "regressions")
    with folder.locked():
        folder.write(regression(add(1), file="test_\u202ex.py", machine="\x1b[2J"))
    (folder.path / "\x1b[2J.json").write_text("", encoding="ascii")

    result = run("regressions", "list", tmp_path)

    assert 0 == result.exit_code
    assert "\x1b" not in result.output
