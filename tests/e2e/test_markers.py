"""A marker that has no effect is an error of its test, with file and line."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.test_first_machine import run_pytest

TESTS = """
import pytest
from chaoscheck import ChaosMachine, rule


@pytest.mark.chaos(status_500=1.0)
def test_forgets_the_fixture():
    pass


@pytest.mark.chaosllm(preset="stress")
def test_forgets_it_as_well(tmp_path):
    pass


@pytest.mark.chaos(status_500=1.0)
def test_asks_for_it(chaos_server):
    pass


@pytest.mark.chaos(status_500=1.0)
def test_asks_for_it_late(request):
    request.getfixturevalue("chaos_server")


@pytest.fixture
def client(chaos_server):
    return chaos_server


@pytest.mark.chaos(status_500=1.0)
def test_gets_it_through_another_fixture(client):
    pass


@pytest.mark.chaos(status_500=1.0)
class TestMixed:
    def test_with(self, chaos_server):
        pass

    def test_without(self):
        pass


class Idle(ChaosMachine):
    @rule()
    def nothing(self):
        pass


@pytest.mark.chaos(status_500=1.0)
class TestIdle(Idle.TestCase):
    pass
"""


def test_a_chaos_marker_without_its_fixture_fails_the_test(tmp_path: Path) -> None:
    """Nothing would go wrong in such a test, and it would pass (one pytest process, ~2 s)."""
    (tmp_path / "test_marked.py").write_text(TESTS, encoding="utf-8")

    found = run_pytest(tmp_path, "test_marked.py", "-rf")

    failed = {line.split()[1] for line in found.stdout.splitlines() if line.startswith("FAILED")}
    expected = {"test_forgets_the_fixture", "test_forgets_it_as_well", "TestIdle::runTest"}
    assert {f"test_marked.py::{name}" for name in expected} == failed
    assert f"{tmp_path / 'test_marked.py'}:6: @pytest.mark.chaos has no effect" in found.stdout
    assert "@pytest.mark.chaosllm has no effect here" in found.stdout
    assert "serves a plan by chaos.serve(plan) in setup()" in found.stdout
