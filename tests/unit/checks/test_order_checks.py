"""FIFO, exactly-once and monotonic: each passes what is right and names each single wrong."""

from __future__ import annotations

from typing import Any

import pytest

from chaoscheck.checks.exactly_once import exactly_once
from chaoscheck.checks.fifo import fifo
from chaoscheck.checks.monotonic import monotonic
from chaoscheck.errors import PlanError


@pytest.mark.parametrize("left", ["", "a", "ab", "abcd"])
def test_a_queue_so_far_is_a_queue(left: str) -> None:
    """Who has not left may still wait."""
    assert fifo("abcd", left).ok


def test_who_gave_up_is_passed_over() -> None:
    """An evicted head never stalls those behind it."""
    assert fifo("abcd", "bd", given_up="ac").ok


@pytest.mark.parametrize(
    ("left", "given_up", "laws"),
    [
        ("ba", "", {"fifo"}),
        ("ac", "", {"fifo"}),
        ("aba", "", {"left_twice"}),
        ("ax", "", {"never_arrived"}),
        ("ab", "a", {"left_after_giving_up"}),
        ("dx", "ab", {"fifo", "never_arrived"}),
    ],
)
def test_each_disorder_is_named(left: str, given_up: str, laws: set[str]) -> None:
    """A stack, a skip, a repeat, an invention, a ghost: broken twins of a queue."""
    assert laws == fifo("abcd", left, given_up=given_up).laws


def test_every_job_took_effect_once() -> None:
    """In any order; the doubtful may have, the refused have not."""
    assert exactly_once("abc", "cab").ok
    assert exactly_once("abc", "a", unknown="b", without_effect="c").ok
    assert exactly_once("abc", "ab", unknown="b", without_effect="c").ok


@pytest.mark.parametrize(
    ("effects", "laws"),
    [
        ("a", {"lost"}),
        ("aab", {"twice"}),
        ("abx", {"invented"}),
        ("abu", set()),
        ("abuu", {"twice"}),
        ("abr", {"effect_without_success"}),
    ],
)
def test_each_wrong_effect_is_named(effects: str, laws: set[str]) -> None:
    """Lost, doubled, invented, or done although it was refused."""
    assert laws == exactly_once("abur", effects, unknown="u", without_effect="r").laws


def test_a_great_loss_is_told_in_a_line() -> None:
    """A thousand lost jobs are a number and five names; the evidence has them all."""
    (breach,) = exactly_once(range(1000), []).witness

    assert "0, 1, 2, 3, 4 and 995 more never took effect" == breach.what
    assert 1000 == len(breach.evidence)


def test_values_that_never_go_back_pass() -> None:
    """A counter may stand still, unless it must not; each key has its own."""
    assert monotonic([1, 1, 2]).ok
    assert {"increasing"} == monotonic([1, 1, 2], order="increasing").laws
    keyed = [("a", 5), ("b", 1), ("a", 6), ("b", 2)]
    assert monotonic(keyed, of=lambda item: item[1], key=lambda item: item[0]).ok


def test_a_step_back_is_shown_with_its_place() -> None:
    """A clock that steps back is a broken twin."""
    verdict = monotonic([("a", 5), ("b", 1), ("a", 4)], of=lambda x: x[1], key=lambda x: x[0])

    assert "4 at place 2 of 'a' follows 5 at place 0" == verdict.witness[0].what
    assert {"non_decreasing"} == verdict.laws


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: fifo("aa", ""), "got twice: .*'a'"),
        (lambda: fifo("ab", "", given_up="x"), "given_up must name arrivals"),
        (lambda: exactly_once("aa", ""), "name each job once, got twice"),
        (lambda: exactly_once("a", "", unknown="x"), "only submitted jobs may be excepted"),
        (lambda: monotonic([1], order="up"), "order must be one of"),  # type: ignore[arg-type]
        (lambda: monotonic([float("nan")]), "must have an order, got nan at place 0"),
        (lambda: monotonic([1, "a"]), "must be comparable, got 'a' at place 1 after 1"),
    ],
)
def test_what_cannot_be_judged_is_refused(call: Any, what: str) -> None:
    """A wrong list is my mistake and not the subject's."""
    with pytest.raises(PlanError, match=what):
        call()
