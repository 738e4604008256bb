"""The console script, driven in this process."""

from __future__ import annotations

import json
from importlib import metadata

import pytest
from typer.testing import CliRunner

import chaoscheck
from chaoscheck import cli
from chaoscheck.world import schedule


def test_version_is_that_of_the_package() -> None:
    """I can tell which version I run."""
    result = CliRunner().invoke(cli.app, ["--version"])

    assert (0, f"chaoscheck {chaoscheck.__version__}\n") == (result.exit_code, result.output)


def test_doctor_finds_this_installation_sound() -> None:
    """On a sound installation doctor names each package, its range, and exits 0."""
    result = CliRunner().invoke(cli.app, ["doctor"])

    assert 0 == result.exit_code, result.output
    assert {"python", "trio", "hypothesis", "trio scheduler hook"} <= {
        finding.name for finding in cli.examine()
    }


def test_doctor_speaks_json() -> None:
    """A script can read what doctor found."""
    result = CliRunner().invoke(cli.app, ["doctor", "--json"])

    report = json.loads(result.output)
    assert (True, chaoscheck.__version__) == (report["ok"], report["version"])
    assert {"name", "found", "needed", "ok"} == set(report["findings"][0])


def test_doctor_says_when_trio_lost_the_scheduler_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worlds run without the hook, but schedules are not searched, and doctor says so."""
    monkeypatch.setattr(schedule, "hook_available", lambda: False)

    result = CliRunner().invoke(cli.app, ["doctor", "--json"])

    found = {f["name"]: f["found"] for f in json.loads(result.output)["findings"]}
    assert result.exit_code == 0
    assert found["trio scheduler hook"] == "absent: tasks run first come, first served only"


def test_doctor_exits_1_when_trio_is_outside_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trio that nobody tested with this version is named, with the range that is allowed."""
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "9.0" if name == "trio" else real(name))

    result = CliRunner().invoke(cli.app, ["doctor", "--json"])

    broken = [f for f in json.loads(result.output)["findings"] if not f["ok"]]
    assert (1, ["9.0"]) == (result.exit_code, [finding["found"] for finding in broken])


def test_doctor_exits_1_when_a_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is not there is a finding, not a traceback."""
    real = metadata.version

    def version(name: str) -> str:
        if name == "httptools":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)

    result = CliRunner().invoke(cli.app, ["doctor"])

    assert 1 == result.exit_code
    assert "BROKEN httptools" in result.output


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["doctor", "--no-such-option"]])
def test_bad_usage_exits_2_without_a_traceback(arguments: list[str]) -> None:
    """A typing mistake costs me a line of help, not a traceback."""
    result = CliRunner().invoke(cli.app, arguments)

    assert 2 == result.exit_code
    assert "Usage:" in result.output
    assert "Traceback" not in result.output


def test_main_exits_with_the_code_of_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The console script ends with the code that its command chose."""
    monkeypatch.setattr("sys.argv", ["chaoscheck", "--version"])

    with pytest.raises(SystemExit) as stopped:
        cli.main()

    assert (0, f"chaoscheck {chaoscheck.__version__}\n") == (
        stopped.value.code,
        capsys.readouterr().out,
    )
