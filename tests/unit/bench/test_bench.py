"""How ``ci/bench`` goes on: a part that fails costs no other part its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.checkout import ROOT

SUITE = ROOT / "ci" / "bench_suite"
PARTS = """
from metric import Metric
from parts import Skipped


def one(value=1.0):
    yield Metric(name="first", value=value, unit="x", target=2.0, at_least=False, note="3 us")


def missed():
    yield from one(3.0)


def skipped():
    yield Skipped(name="second", reason="not installed: a peer")


def breaks():
    yield from one()
    raise RuntimeError("3 of 60 streams broke off")


def asserts():
    assert not list(one())
    yield
"""


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    """Runs ``ci/bench`` with groups made of the parts above."""
    (tmp_path / "planted.py").write_text(PARTS, encoding="utf-8")

    def run(*arguments: str, **groups: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        program = (
            f"import sys; sys.path[:0] = [{str(SUITE)!r}, {str(tmp_path)!r}]\n"
            f"import main; main.GROUPS = {groups!r}; sys.exit(main.main())"
        )
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_what_is_good_exits_zero(bench: Any) -> None:
    """When every target is met, my script goes on; what cannot be measured here is named."""
    run = bench(a=("planted:one", "planted:skipped"))

    assert 0 == run.returncode
    assert ["first", "second: skipped: not installed: a peer"] == [
        line.split("  ")[0] for line in run.stdout.splitlines()
    ]
    assert "3 us" in run.stdout


def test_a_missed_target_exits_one(bench: Any) -> None:
    """A figure that misses its target fails the run, whatever comes after it."""
    run = bench(a=("planted:missed",), b=("planted:one",))

    assert 1 == run.returncode
    assert ["MISSED", "ok"] == [line.split()[5] for line in run.stdout.splitlines()]


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ("planted:breaks", "RuntimeError: 3 of 60 streams broke off"),
        ("planted:asserts", "AssertionError"),
        ("planted:no_such_part", "AttributeError: module 'planted' has no attribute"),
        ("no_such_module:part", "ModuleNotFoundError: No module named 'no_such_module'"),
    ],
)
def test_a_part_that_fails_costs_no_other_its_figures(bench: Any, part: str, error: str) -> None:
    """I get every figure that could be measured, the error of what could not, and exit 1."""
    run = bench(a=("planted:one", part, "planted:one"), b=("planted:one",))

    assert 1 == run.returncode
    assert f"FAILED a ({part}): {error}" in run.stdout
    expected = 4 if part == "planted:breaks" else 3
    assert expected == len([x for x in run.stdout.splitlines() if x.startswith("first")])


def test_json_holds_what_was_measured_beside_what_failed(bench: Any) -> None:
    """``--json`` prints one object, also when a part fails: the figures that exist are in it."""
    run = bench("--json", a=("planted:breaks", "planted:skipped"), b=("planted:missed",))

    assert 1 == run.returncode
    printed = json.loads(run.stdout)
    assert [("first", True), ("first", False)] == [
        (each["name"], each["ok"]) for each in printed["metrics"]
    ]
    assert [
        {"group": "a", "part": "planted:breaks", "error": "RuntimeError: 3 of 60 streams broke off"}
    ] == printed["failures"]
    assert [{"name": "second", "reason": "not installed: a peer"}] == printed["skipped"]
    assert "FAILED a (planted:breaks)" in run.stderr


def test_cpu_is_measured_in_a_virtual_world_too() -> None:
    """A world answers ``time.process_time`` with a clock that stands still; ours goes on."""
    program = f"""
import sys; sys.path.insert(0, {str(SUITE)!r})
from chaoscheck.world.virtual import VirtualWorld
from cpu_clock import cpu_s
with VirtualWorld():
    before = cpu_s()
    while cpu_s() == before:
        pass
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=30)


def test_a_red_suite_still_gives_its_figures(tmp_path: Path) -> None:
    """When a law fails, I read how long the suite took and how much memory, and that it is red.

    Takes a second: it starts a run of pytest with our plugin.
    """
    (tmp_path / "properties").mkdir()
    red = "def test_red():\n    assert 1 == 2\n"
    (tmp_path / "properties" / "test_red.py").write_text(red, encoding="utf-8")
    program = f"""
import sys; sys.path.insert(0, {str(SUITE)!r})
from pathlib import Path
import property_suite
property_suite.ROOT, property_suite.WORKERS = Path({str(tmp_path)!r}), 0
for metric in property_suite.suite_metrics():
    print(metric.name, metric.ok, sep=": ")
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert [
        "ci/properties, exit code: False",
        "ci/properties: True",
        "largest worker of ci/properties: True",
    ] == run.stdout.splitlines()
    assert "assert 1 == 2" in run.stderr


def test_a_peer_that_cannot_be_installed_is_skipped_with_the_reason() -> None:
    """Without a registry I read, for each peer, that it was skipped and why, and exit 0."""
    program = f"""
import sys; sys.path.insert(0, {str(SUITE)!r})
from contextlib import nullcontext
import main, peers
def no_registry(what, *command):
    raise peers.CannotRun(f"{{what}}: no matching distribution")
peers._done, peers.started = no_registry, lambda name: nullcontext()
peers.ENVIRONMENT = peers.ROOT / "no-such-folder"
sys.argv[1:] = ["--group", "peers"]
sys.exit(main.main())
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    reason = "skipped: interpreter: no matching distribution"
    assert [
        f"chat answer of errorworks, times ours: {reason}",
        f"chat answer of llmock, times ours: {reason}",
    ] == run.stdout.splitlines()
