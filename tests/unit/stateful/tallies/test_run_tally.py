"""Counts of examples add up to those of a run, and never contradict each other."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.stateful.tallies.example_tally import effects_in_words
from chaoscheck.stateful.tallies.run_tally import FaultsOfExample, RunTally

COUNTS = st.dictionaries(st.sampled_from(["status_429", "refuse", "cut"]), st.integers(0, 9))


def example(**counts: dict[str, int]) -> FaultsOfExample:
    """The faults of an example, with nothing where nothing is said."""
    every = ("injected", "hits", "implied", "named")
    return FaultsOfExample(**{kind: counts.get(kind, {}) for kind in every})


def test_a_run_names_what_was_never_hit() -> None:
    """Only effects count, over all examples of a run."""
    tally = RunTally(("status_500", "cut"))
    tally.add(example(hits={"status_500": 2}, implied={"status_500": 2}))
    tally.add(example())

    assert tally.missing() == ["cut"]
    tally.reset()
    assert tally.missing() == ["status_500", "cut"]


def test_a_search_for_missing_faults_counts_for_the_machine() -> None:
    """What it judged is judged, and its rules are no rules of the machine."""
    tally, other = RunTally(("cut",)), RunTally(("cut",))
    tally.expect(rules={"ask": False}, laws={"all_is_well": "settled"})
    other.expect(rules={"ask": False, "more": False}, laws={"all_is_well": "settled"})
    other.rule("ask").runs = other.rule("more").runs = 3
    other.add(example(hits={"cut": 1}, named={"cut": 1}), failed=True)

    tally.add_run(other)

    assert (tally.missing(), tally.examples, tally.failures) == ([], 1, 1)
    assert {name: rule.runs for name, rule in tally.rules.items()} == {"ask": 3}


@given(
    st.lists(
        st.builds(
            FaultsOfExample,
            injected=COUNTS,
            hits=COUNTS,
            implied=COUNTS,
            named=COUNTS,
        ),
        max_size=5,
    )
)
def test_judged_never_exceeds_what_had_an_effect(examples: list[FaultsOfExample]) -> None:
    """Whatever laws say, no fault is judged more often than it was felt."""
    tally = RunTally(("cut",))
    for each in examples:
        tally.add(each)

    for counts in tally.statistics("M").faults:
        assert 0 <= counts.judged <= counts.effects


@given(COUNTS, COUNTS)
def test_events_are_words_and_never_negative(
    injected: dict[str, int], hits: dict[str, int]
) -> None:
    """One injected refusal may refuse three connections: no text counts what is left."""
    texts = effects_in_words(Counter(injected), Counter(hits))

    assert len(texts) == sum(count > 0 for count in injected.values())
    for text in texts:
        assert text.partition(": ")[2] in ("had its effect", "partly", "without effect")
