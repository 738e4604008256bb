"""``--chaos-statistics`` and ``--chaos-report``: a table and a file for each machine of a run."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from chaoscheck.report.statistics_document import statistics_schema
from tests.e2e.test_first_machine import run_pytest

MACHINE = """
from hypothesis import settings
import httpx
from chaoscheck import ChaosMachine, faults, invariant, precondition, rule

class Base(ChaosMachine):
    pass

class Asking(Base):
    faults = (faults.status_500,)

    def setup(self):
        self.chaos.serve()
        self.statuses = []

    @rule()
    async def ask(self):
        async with httpx.AsyncClient(verify=False) as client:
            self.statuses.append((await client.get("http://api.test/v1/models")).status_code)

    @precondition(lambda self: False)
    @rule()
    def never(self):
        pass

    @invariant()
    def statuses_are_known(self):
        if not self.statuses:
            self.chaos.skipped("no reply yet")
            return
        assert {*self.statuses} <= {200, 500}
        self.chaos.judged(*(f"status_{each}" for each in self.statuses if each >= 500))

class Forgotten(ChaosMachine):
    @rule()
    def nothing(self):
        pass

TestAsking = Asking.TestCase
TestAsking.settings = settings(TestAsking.settings, max_examples=50, deadline=None)
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2", "--chaos-shards", "2")])
def test_a_run_tells_what_it_did_and_marks_what_never_happened(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    """The same with workers, whose numbers are added up (two pytest processes, ~8 s)."""
    (tmp_path / "test_asking.py").write_text(MACHINE, encoding="utf-8")

    run = run_pytest(
        tmp_path, *workers, "--chaos-statistics", "--chaos-report", "out/report", "test_asking.py"
    )

    assert run.returncode == 0, run.stdout + run.stderr
    table = run.stdout.partition("chaos statistics")[2]
    assert "! never ran: its precondition never held" in table
    assert "no reply yet)" in table
    [path] = (tmp_path / "out" / "report").iterdir()
    assert "test_asking.py-TestAsking.json" == path.name
    document = json.loads(path.read_text("utf-8"))
    jsonschema.Draft202012Validator(statistics_schema()).validate(document)
    rules = {rule["name"]: rule for rule in document["rules"]}
    [law] = document["laws"]
    [fault] = document["faults"]
    assert ("test_asking.py::TestAsking::runTest", "passed") == (
        document["test"],
        document["outcome"],
    )
    assert 50 <= document["examples"]
    assert (0, False, True) == (
        rules["never"]["runs"],
        rules["never"]["ready_made"],
        rules["let_time_pass"]["ready_made"],
    )
    assert rules["ask"]["runs"] > 0
    assert law["checked"] == law["judged"] + law["skipped"]["no reply yet"]
    assert 0 < fault["judged"] <= fault["effects"] <= fault["injected"]
    assert f"Asking: {document['examples']} examples" in table
    assert [
        "! test_asking.py::Forgotten: no test runs it (TestForgotten = Forgotten.TestCase)"
    ] == [line for line in table.splitlines() if "no test runs it" in line]


def test_a_folder_that_cannot_be_made_is_a_usage_error(tmp_path: Path) -> None:
    """The message names it (a pytest process, ~1 s)."""
    (tmp_path / "file").write_text("")

    refused = run_pytest(tmp_path, "--chaos-report", "file/report")

    assert refused.returncode == 4
    assert "--chaos-report: file/report: Not a directory" in refused.stderr


def test_without_the_options_nothing_is_said(tmp_path: Path) -> None:
    """And nothing is written (a pytest process, ~2 s)."""
    (tmp_path / "test_asking.py").write_text(MACHINE, encoding="utf-8")

    run = run_pytest(tmp_path, "test_asking.py")

    assert run.returncode == 0, run.stdout + run.stderr
    assert "chaos statistics" not in run.stdout
