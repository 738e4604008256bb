"""An interpreter that leaves assert statements out is refused: its green would mean nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from chaoscheck import cli
from chaoscheck.errors import PlanError
from chaoscheck.plan.program import Program
from chaoscheck.regressions.trial import require_passes
from chaoscheck.stateful import asserts
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.rules import rule
from chaoscheck.stateful.running import run_machine
from chaoscheck.stateful.search import find_counterexample


class Broken(ChaosMachine):
    """Every law of it is broken."""

    @rule()
    def fail(self) -> None:
        """An assertion that never holds."""
        raise AssertionError


@pytest.mark.parametrize("way", ["run", "search", "replay"])
def test_nothing_runs_without_asserts(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is in the error."""
    monkeypatch.setattr(asserts, "asserts_run", lambda: False)
    with pytest.raises(PlanError, match=r"python -O.*PYTHONOPTIMIZE"):
        if way == "run":
            run_machine(Broken)
        elif way == "search":
            find_counterexample(Broken, max_examples=1)
        else:
            require_passes(Broken, Program(steps=(), decisions=(), holds=()))


def test_doctor_says_that_asserts_are_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """And exits 1, since worlds should not run there."""
    monkeypatch.setattr(asserts, "asserts_run", lambda: False)

    result = CliRunner().invoke(cli.app, ["doctor", "--json"])

    broken = [f["name"] for f in json.loads(result.output)["findings"] if not f["ok"]]
    assert (1, ["assert statements"]) == (result.exit_code, broken)


@pytest.mark.parametrize("option", [["-O"], ["-OO"]])
def test_a_real_interpreter_without_asserts_is_told_from_others(option: list[str]) -> None:
    """Asked of Python itself, which takes a second: nothing else can start it so."""
    code = "from chaoscheck.stateful.asserts import require_asserts; require_asserts()"

    command = [sys.executable, *option, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 1 == run.returncode
    assert "PlanError: assert statements are off" in run.stderr
