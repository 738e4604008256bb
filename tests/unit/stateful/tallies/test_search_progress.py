"""The progress line of a search: what it says, and how often."""

from __future__ import annotations

import pytest

from chaoscheck.stateful.tallies import search_progress
from chaoscheck.stateful.tallies.run_tally import FaultsOfExample, RunTally
from chaoscheck.stateful.tallies.search_progress import SearchProgress, search_line

NOTHING = FaultsOfExample(injected={}, hits={}, implied={}, named={})


def test_the_line_tells_examples_failures_and_what_is_missing() -> None:
    """At most three names, and how many more."""
    tally = RunTally(("cut", "refuse", "reset", "half_close", "cancel"))
    assert search_line("M", 3, 100, tally) == (
        "M: 3 of 100 examples, still missing cut, refuse, reset and 2 more"
    )

    every = dict.fromkeys(tally.declared, 1)
    tally.add(FaultsOfExample(injected=every, hits=every, implied=every, named={}), failed=True)
    assert search_line("M", 4, 100, tally) == "M: 4 of 100 examples, 1 failed"


def test_it_is_told_now_and_then_and_not_of_short_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the first CPU second, then four lines a second at most."""
    now_s = 0.0
    monkeypatch.setattr(search_progress, "process_seconds", lambda: now_s)
    lines: list[str] = []
    tally = RunTally(())
    progress = SearchProgress("M", 100, lines.append)
    for _ in range(20):
        now_s += 0.125
        progress(tally)

    assert lines == [f"M: {examples} of 100 examples" for examples in range(8, 21, 2)]


def test_each_example_is_told() -> None:
    """The tally of a run calls whoever listens, after each example."""
    heard: list[int] = []
    tally = RunTally(())
    tally.on_example = lambda each: heard.append(each.examples)
    tally.add(NOTHING)
    tally.add(NOTHING)

    assert heard == [1, 2]
