"""Are the bugs on which other tools were measured found, and told at their true minimum?

``ci/bench --group anchors`` measures the same with ten seeds, and what it costs.
"""

from __future__ import annotations

import pytest

from chaoscheck import find_counterexample
from chaoscheck.stateful.programs.replaying import replay
from tests.quality.anchors.anchor import Anchor
from tests.quality.anchors.catalogue import ANCHORS
from tests.quality.anchors.enumeration import programs
from tests.quality.planted_bug import names_in_the_traceback

SEEDS = (0, 1, 2)
BUDGET = 2_000
SOUND_MAX = 100

each_anchor = pytest.mark.parametrize("anchor", ANCHORS, ids=lambda anchor: anchor.name)


@pytest.mark.parametrize("seed", SEEDS)
@each_anchor
def test_an_anchor_is_found_by_its_law_and_shrunk_to_its_minimum(anchor: Anchor, seed: int) -> None:
    """The story that I read has not one step too many, whatever the seed.

    It takes up to a second: some tens of examples find it, some hundreds shrink it.
    """
    found = find_counterexample(anchor.machine, max_examples=BUDGET, seed=seed)

    assert found is not None, f"not found in {BUDGET} examples: {anchor.what}"
    assert anchor.law in names_in_the_traceback(found.error)
    assert found.program is not None
    assert anchor.smallest_steps == len(found.program), f"not the shortest:\n{found}"


@each_anchor
def test_the_same_search_finds_nothing_wrong_with_the_right_subject(anchor: Anchor) -> None:
    """No false alarm: the subject without the bug passes a hundred examples (up to 1 s)."""
    found = find_counterexample(anchor.sound, max_examples=SOUND_MAX, seed=SEEDS[0])

    assert found is None, f"a false alarm:\n{found}"


@each_anchor
def test_no_story_shorter_than_the_minimum_fails(anchor: Anchor) -> None:
    """The minimum is one: every shorter story over the pools passes.

    It takes up to a second: about a thousand stories are replayed, each in a world of its own.
    """
    failing = [
        story
        for length in range(1, anchor.smallest_steps)
        for story in programs(anchor.machine, length, anchor.pools)
        if replay(anchor.machine, story).error is not None
    ]

    assert [] == failing


@each_anchor
def test_some_story_of_the_minimal_length_fails(anchor: Anchor) -> None:
    """It is no empty enumeration: at the minimum the law falls, and on the right subject never.

    It takes up to two seconds: up to two thousand stories are replayed until one fails.
    """
    stories = programs(anchor.machine, anchor.smallest_steps, anchor.pools)
    runs = (replay(anchor.machine, story) for story in stories)
    failing = next(run for run in runs if run.error is not None)

    assert failing.error is not None
    assert anchor.law in names_in_the_traceback(failing.error)
    assert replay(anchor.sound, failing.program).error is None
