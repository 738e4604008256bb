"""The story of an example: its lines, and the command that replays it."""

from __future__ import annotations

import pytest

from chaoscheck.report.commands import replay_command
from chaoscheck.report.story import Story
from tests.unit.stateful.stories import story


def test_faults_that_came_by_rate_stand_before_their_step() -> None:
    """What chance decided is told as the single faults that it amounts to."""
    told = Story("Machine")
    text = told.tell_step("state.ask()", ["status_500()"])

    assert ["state.chaos.next_fault(status_500())  # came by rate", "state.ask()"] == told.steps
    assert "\n".join(told.steps) == text


def test_holds_are_comments_below_the_steps() -> None:
    """I can paste the story, and the schedule does not get in the way."""
    told = Story("Machine")
    told.tell_step("state.ask()", [])

    assert "    # a@1 waits" == told.tell_hold("a@1 waits")
    assert ["state.ask()", "    # a@1 waits"] == told.steps


def test_the_ending_is_told_apart_from_the_steps() -> None:
    """Healing and its time are lines that every story has."""
    told = Story("Machine")
    told.by_rate(["status_500()"])
    lines = told.healed(300.0)

    assert [
        "state.chaos.heal_everything()  # the end of every story",
        "state.chaos.let_time_pass(300)  # the end of every story",
    ] == lines
    assert [
        "state.chaos.next_fault(status_500())  # came by rate",
        "state.chaos.heal_everything()",
        "state.chaos.let_time_pass(300)",
    ] == told.ending
    assert [] == told.steps


def test_how_it_failed_is_kept_with_what_replays_it() -> None:
    """Error, choices and program belong together."""
    told, error = Story("Machine"), KeyError("x")
    told.failed(error, "blob", story("ask"))

    assert (error, "blob", story("ask")) == (told.error, told.blob, told.program)


def test_the_command_names_the_test_that_is_running(monkeypatch: pytest.MonkeyPatch) -> None:
    """I paste it into a shell; outside of pytest there is a place to fill in."""
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "tests/test_a.py::test_b[x y] (call)")
    assert "pytest 'tests/test_a.py::test_b[x y]' --chaos-replay P.abc" == replay_command("P.abc")

    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    assert "pytest 'NODEID' --chaos-replay P.abc" == replay_command("P.abc")
