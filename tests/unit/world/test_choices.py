"""Choices: 0 means nothing odd, everything is logged, and the log replays."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.errors import PlanError
from chaoscheck.world.choices import Choice, ScriptedChoices, SeededChoices, index_of


def test_every_decision_is_logged_with_its_label() -> None:
    """The log says what was asked, among how many, and what came out."""
    choices = ScriptedChoices([2, 1])
    choices.pick("who runs", 3)
    choices.weigh("fault", [0.5])

    assert choices.log == [Choice("who runs", 3, 2), Choice("fault", 2, 1)]


def test_a_sole_option_costs_no_draw() -> None:
    """Questions with one answer are not choices."""
    choices = ScriptedChoices([1])

    assert choices.pick("sole", 1) == 0
    assert choices.weigh("never", [0.0, 0.0]) == 0
    assert choices.uniform("fixed", 2.5, 2.5) == 2.5
    assert choices.log == []


def test_a_script_gives_zero_beyond_its_end_and_where_a_value_does_not_fit() -> None:
    """A replay on changed code goes on with nothing odd."""
    choices = ScriptedChoices([9])

    assert choices.pick("too large", 3) == 0
    assert choices.pick("beyond", 3) == 0


def test_the_log_of_a_seeded_run_replays_it() -> None:
    """Scripted choices answer what seeded ones answered."""
    seeded = SeededChoices(5)
    asked = [seeded.pick("a", 10), seeded.weigh("b", [0.2, 0.3]), seeded.pick("c", 4)]
    scripted = ScriptedChoices(seeded.log)

    assert asked == [scripted.pick("a", 10), scripted.weigh("b", [0.2, 0.3]), scripted.pick("c", 4)]


def test_a_derived_stream_depends_on_its_keys_only() -> None:
    """What was asked before does not change the fate of a key."""
    fresh, used = SeededChoices(1), SeededChoices(1)
    for _ in range(10):
        used.pick("noise", 100)

    fate = [fresh.derive("key", 1).pick("x", 1000) for _ in range(3)]

    assert fate == [used.derive("key", 1).pick("x", 1000) for _ in range(3)]
    assert fresh.derive("key", 1).pick("x", 1000) != fresh.derive("key", 2).pick("x", 1000)


def test_a_derived_stream_is_the_same_in_every_process() -> None:
    """A fate that a server dealt yesterday is dealt again today: these values are for ever."""
    stream = SeededChoices(7).derive("key", 1)

    assert [stream.pick("x", 1000) for _ in range(3)] == [688, 763, 735]
    assert stream.derive("again").pick("x", 1000) == 12


def test_a_derived_stream_neither_ends_nor_repeats() -> None:
    """Whoever asks for more than most gets numbers as good as the first ones."""
    stream = SeededChoices(7).derive("key", 1)
    asked = [stream.pick("x", 2**32) for _ in range(1000)]

    assert len(set(asked)) == len(asked) == len(stream.log)


def test_first_draws_of_derived_streams_are_even() -> None:
    """Which keys a fault hits has no pattern: one draw from each of many streams comes out even."""
    seeded = SeededChoices(0)
    picked = Counter(seeded.derive("key", attempt).pick("x", 4) for attempt in range(2000))
    weighed = Counter(
        seeded.derive("key", attempt).weigh("fault", [0.25, 0.5]) for attempt in range(2000)
    )

    assert all(abs(count - 500) < 100 for count in picked.values())
    assert abs(weighed[1] - 500) < 100
    assert abs(weighed[2] - 1000) < 100


def test_weights_are_probabilities_and_the_rest_is_nothing_odd() -> None:
    """Over many draws the shares come near the weights."""
    choices = SeededChoices(0)
    shares = Counter(choices.weigh("fault", [0.25, 0.5]) for _ in range(4000))

    assert abs(shares[1] - 1000) < 150
    assert abs(shares[2] - 2000) < 150


def test_the_smallest_point_is_nothing_odd() -> None:
    """What shrinks to 0 shrinks to no fault, unless a fault is certain."""
    assert index_of(0.0, [0.9]) == 0
    assert index_of(0.0, [1.0]) == 1
    assert index_of(0.999999, [0.25, 0.5]) == 2


def test_a_certain_fault_happens_whatever_the_script_says() -> None:
    """A rate of 1 leaves no chance, so 0 cannot mean "no fault"; a sole certainty is no draw."""
    choices = ScriptedChoices([0, 0])

    assert choices.weigh("certain", [0.0, 1.0]) == 2
    assert choices.log == []
    assert choices.weigh("one of two", [0.5, 0.5]) == 1


@pytest.mark.parametrize("weights", [[-0.1], [1.1], [0.6, 0.6], [float("nan")]])
def test_weights_that_are_no_probabilities_are_refused(weights: list[float]) -> None:
    """The error shows the values."""
    with pytest.raises(PlanError, match="weights must be in"):
        SeededChoices(0).weigh("fault", weights)


def test_no_options_are_refused() -> None:
    """There must be something to choose from."""
    with pytest.raises(PlanError, match="options must be >= 1, got 0"):
        SeededChoices(0).pick("nothing", 0)


def test_a_range_turned_round_is_refused() -> None:
    """Low comes first."""
    with pytest.raises(PlanError, match="low must be <= high"):
        SeededChoices(0).uniform("delay", 2, 1)


@given(st.integers(0, 2**32), st.lists(st.floats(0, 0.25), max_size=4), st.text(max_size=5))
def test_weighing_for_keys_is_weighing_in_their_stream(
    seed: int, weights: list[float], key: str
) -> None:
    """The short way decides as the long way does."""
    choices = SeededChoices(seed)

    expected = choices.derive(key, 1).weigh("x", weights)
    assert expected == choices.weigh_for((key, 1), "x", weights)
