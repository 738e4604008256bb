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


MARKED_MODULE = """
import pytest

pytestmark = pytest.mark.chaos(status_500=1.0)


@pytest.mark.chaos(status_429=1.0)
class TestMarked:
    def test_one(self):
        pass

    def test_other(self):
        pass


def test_of_the_module():
    pass
"""
MARKED_FOR_A_LATE_USER = """
import pytest

pytestmark = pytest.mark.chaos(status_500=1.0)


def test_asks_late(request):
    request.getfixturevalue("chaos_server")


def test_does_not_ask():
    pass
"""
WITH_ANOTHER_MARKER = """
import pytest


@pytest.mark.choas(status_429=1.0)
def test_slip(chaos_server):
    pass


@pytest.mark.slow
@pytest.mark.charted
def test_of_another_marker(chaos_server):
    pass


@pytest.mark.chaotic
def test_without_a_server():
    pass
"""
NAMED_AS_A_TEST = """
from chaoscheck import ChaosMachine, rule


class TestCounter(ChaosMachine):
    @rule()
    def count(self):
        assert False
"""


def test_a_marker_that_changes_none_of_its_tests_fails_one(tmp_path: Path) -> None:
    """A class's or module's, once for each; a misspelt one of a test with a server (~3 s).

    Where only some tests of a class are asked for, the marker may be for the others.
    """
    sources = {"marked": MARKED_MODULE, "late": MARKED_FOR_A_LATE_USER, "slip": WITH_ANOTHER_MARKER}
    for name, source in sources.items():
        (tmp_path / f"test_{name}.py").write_text(source, encoding="utf-8")

    whole = run_pytest(tmp_path, "-rf")
    part = run_pytest(tmp_path, "test_marked.py::TestMarked")

    failed = {line.split()[1] for line in whole.stdout.splitlines() if line.startswith("FAILED")}
    assert failed == {"test_marked.py::TestMarked::test_one", "test_slip.py::test_slip"}
    for node in ("test_marked.py", "TestMarked"):
        assert f"no test of {node} uses a chaos_server" in whole.stdout
    assert "unknown marker 'choas'; did you mean 'chaos'?" in whole.stdout
    assert part.returncode == 0, part.stdout


def test_a_machine_that_is_named_as_a_test_is_an_error(tmp_path: Path) -> None:
    """pytest would pass over it with a warning; where its TestCase has a name, that is run."""
    sources = {
        "named": NAMED_AS_A_TEST,
        "run": f"{NAMED_AS_A_TEST}\n\nTestOther = TestCounter.TestCase\n",
        "meant": f"{NAMED_AS_A_TEST}\n\nTestCounter.__test__ = False\n",
    }
    for name, source in sources.items():
        (tmp_path / f"test_{name}.py").write_text(source, encoding="utf-8")

    found = run_pytest(tmp_path, "--continue-on-collection-errors", "-rfE")

    summary = found.stdout.partition("short test summary")[2].splitlines()
    assert {line.split()[1] for line in summary if line.startswith(("FAILED", "ERROR"))} == {
        "test_named.py",
        "test_run.py::TestOther::runTest",
    }
    assert "TestCounter is a machine, and pytest runs a machine's TestCase" in found.stdout


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


RESTORED = """
import os

before = dict(os.environ)


def test_one(chaos_server_env, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "mine")
    monkeypatch.undo()
    assert os.environ["OPENAI_BASE_URL"] == chaos_server_env.openai_url
    os.environ["OPENAI_BASE_URL"] = "http://elsewhere"
    del os.environ["OLLAMA_HOST"]
    assert False


def test_two():
    names = {*before, *os.environ} - {"PYTEST_CURRENT_TEST"}
    assert [] == [name for name in names if before.get(name) != os.environ.get(name)]
"""


def test_the_environment_is_as_it_was_when_a_test_ends(tmp_path: Path) -> None:
    """Also where it undid its own monkeypatches, changed a variable and failed."""
    (tmp_path / "test_restored.py").write_text(RESTORED, encoding="utf-8")

    found = run_pytest(tmp_path, "test_restored.py")

    assert "1 failed, 1 passed" in found.stdout, found.stdout + found.stderr
    assert "E       assert False" in found.stdout
