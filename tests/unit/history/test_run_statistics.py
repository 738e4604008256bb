"""Statistics of runs add up, and mark what never happened."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.history.run_statistics import FaultCounts, LawCounts, RuleCounts, RunStatistics

COUNTS = st.integers(0, 3)
RULES = st.builds(RuleCounts, name=st.sampled_from("ab"), runs=COUNTS)
LAWS = st.builds(
    LawCounts,
    name=st.sampled_from("ab"),
    checked=COUNTS,
    judged=COUNTS,
    skipped=st.dictionaries(st.sampled_from(["late", "lost"]), st.integers(1, 3)),
)
FAULTS = st.builds(
    FaultCounts, name=st.sampled_from("ab"), injected=COUNTS, effects=COUNTS, judged=COUNTS
)


def several(one: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    """Some of them, each name once."""
    return st.lists(one, max_size=2, unique_by=lambda each: each.name).map(tuple)  # type: ignore[attr-defined]


RUNS = st.builds(
    RunStatistics,
    machine=st.just("M"),
    outcome=st.sampled_from(["passed", "failed", "skipped"]),
    seeds=st.lists(COUNTS, max_size=2, unique=True).map(tuple),
    examples=COUNTS,
    failures=COUNTS,
    rules=several(RULES),
    laws=several(LAWS),
    faults=several(FAULTS),
)


def by_name(run: RunStatistics) -> RunStatistics:
    """The same without an order."""
    return RunStatistics(
        machine=run.machine,
        outcome=run.outcome,
        seeds=tuple(sorted(run.seeds, key=str)),
        examples=run.examples,
        failures=run.failures,
        rules=tuple(sorted(run.rules, key=lambda each: each.name)),
        laws=tuple(sorted(run.laws, key=lambda each: each.name)),
        faults=tuple(sorted(run.faults, key=lambda each: each.name)),
    )


@given(RUNS, RUNS, RUNS)
def test_shards_add_up_in_any_order(one: RunStatistics, two: RunStatistics, three: object) -> None:
    """Workers come back in any order; the sum is the same."""
    assert isinstance(three, RunStatistics)
    assert by_name(one.plus(two)) == by_name(two.plus(one))
    assert by_name(one.plus(two).plus(three)) == by_name(one.plus(two.plus(three)))


def test_what_never_happened_is_marked_with_its_reason() -> None:
    """Rules that never ran, laws that judged nothing, faults that nobody felt or judged."""
    run = RunStatistics(
        machine="M",
        rules=(
            RuleCounts(name="ran", runs=1),
            RuleCounts(name="shut", why_never="its precondition never held"),
            RuleCounts(name="unlucky"),
        ),
        laws=(
            LawCounts(name="good", checked=2, judged=2),
            LawCounts(name="shy", checked=2, skipped={"late": 2}),
            LawCounts(name="idle", when="at_rest", why_never="the world was never at rest"),
        ),
        faults=(
            FaultCounts(name="judged", injected=1, effects=1, judged=1),
            FaultCounts(name="unjudged", injected=1, effects=1),
            FaultCounts(name="unfelt", injected=1),
            FaultCounts(name="absent"),
        ),
    )

    marks = [each.mark for each in run.rules] + [each.mark for each in run.laws]
    marks += [each.mark for each in run.faults]
    assert marks == [
        "",
        "never ran: its precondition never held",
        "never ran: never drawn",
        "",
        "only skipped",
        "never checked: the world was never at rest",
        "",
        "never judged",
        "never had an effect",
        "never injected",
    ]
    assert run.marks == 7


def test_a_mark_goes_where_a_shard_did_it() -> None:
    """What one worker never did, another one did."""
    one = RunStatistics(machine="M", rules=(RuleCounts(name="ask", why_never="no luck"),))
    other = RunStatistics(machine="M", rules=(RuleCounts(name="ask", runs=3),))

    assert one.plus(other).rules == (RuleCounts(name="ask", runs=3),)
    assert (1, 0) == (one.marks, one.plus(other).marks)
