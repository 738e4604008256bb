"""Faults as values: what they say, how they deliver, how they are written."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.errors import PlanError
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.answer import Answer
from chaoscheck.plan.catalogue import FAULTS
from chaoscheck.plan.delivery import Close, Reset, Send, Stall, Wait
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.notation import parse_fault
from chaoscheck.plan.status_fault import RetryLaterFault
from chaoscheck.strategies.faults import faults as drawn_faults

HEAD = b"head"
BODY = b'{"a": "0123456789"}'
GOOD = Answer(status=200, headers=(("content-type", "application/json"),), body=BODY)


@given(drawn_faults())
def test_what_is_printed_can_be_read_back(fault: Fault) -> None:
    """I copy a fault from a report into my plan and mean the same fault."""
    assert fault == parse_fault(repr(fault))


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.name)
def test_a_name_alone_is_a_fault(kind: type[Fault]) -> None:
    """Every parameter has a default."""
    assert kind() == parse_fault(kind.name)


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.name)
def test_each_fault_has_its_file_and_its_name_in_the_catalogue(kind: type[Fault]) -> None:
    """``faults.reset_mid_body`` finds what the file reset_mid_body.py defines."""
    assert kind is getattr(faults, kind.name)
    assert f"chaoscheck.plan.faults.{kind.name}" == inspect.getmodule(kind).__name__  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("reset_mid_bdy", "'reset_mid_body'"),
        ("status_428", "'status_429'"),
        ("reset_mid_body(after=17)", "after_bytes"),
        ("status_500(after_bytes=17)", "legal: none"),
        ("reset_mid_body(after_bytes=-1)", ">= 0, got -1"),
        ("reset_mid_body(after_bytes=1.5)", "got 1.5"),
        ("reset_mid_body(after_bytes=True)", "got True"),
        ("reset_mid_body(after_bytes='x')", "got 'x'"),
        ("reset_mid_body(after_bytes=exit())", "literal"),
        ("reset_mid_body(17)", "name(parameter=value, ...)"),
        ("reset_mid_body(after_bytes=1)(after_bytes=2)", "name(parameter=value, ...)"),
        ("slow_response(delay_s=0)", "> 0"),
        ("slow_response(delay_s=-2)", "got -2"),
        ("slow_response(delay_s=1e999)", "finite"),
        ("status_429(retry_after_s=-1)", "got -1"),
        ("", "name(parameter=value, ...)"),
        ("os.system", "name(parameter=value, ...)"),
        ("(" * 5000, "at most 200 characters"),
        ("status_\x00", "name(parameter=value, ...)"),
    ],
)
def test_a_fault_written_wrong_is_refused(text: str, says: str) -> None:
    """The message shows what I wrote and what would be legal."""
    with pytest.raises(PlanError) as refusal:
        parse_fault(text)

    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("fault", "status", "headers"),
    [
        (faults.status_429(), 429, (("retry-after", "1"),)),
        (faults.status_429(retry_after_s=None), 429, ()),
        (faults.status_429(retry_after_s=0), 429, (("retry-after", "0"),)),
        (faults.status_429(retry_after_s=0.3), 429, (("retry-after", "0.3"),)),
        (faults.status_429(retry_after_s=1 / 3), 429, (("retry-after", "0.334"),)),
        (faults.status_503(), 503, ()),
        (faults.status_503(retry_after_s=120), 503, (("retry-after", "120"),)),
        (faults.status_500(), 500, ()),
        (faults.status_529(), 529, ()),
    ],
    ids=repr,
)
def test_a_status_fault_replaces_the_answer(
    fault: Fault, status: int, headers: tuple[tuple[str, str], ...]
) -> None:
    """An error status says when to come back, if I want it to, and nothing of the good answer."""
    answer = fault.on_answer(GOOD)

    assert (status, headers, b"") == (answer.status, answer.headers, answer.body)
    assert answer.error is not None


@pytest.mark.parametrize(
    ("fault", "acts"),
    [
        (faults.slow_response(delay_s=3), (Wait(3), Send(HEAD + BODY))),
        (faults.stall_before_headers(), (Stall(), Send(HEAD + BODY))),
        (faults.reset_before_headers(), (Reset(),)),
        (faults.close_before_headers(), (Close(),)),
        (
            faults.stall_mid_body(after_bytes=4),
            (Send(HEAD + BODY[:4]), Stall(), Send(BODY[4:])),
        ),
        (faults.reset_mid_body(after_bytes=0), (Send(HEAD), Reset())),
        (faults.close_mid_body(after_bytes=4), (Send(HEAD + BODY[:4]), Close())),
        (faults.close_mid_body(after_bytes=len(BODY)), (Send(HEAD + BODY[:-1]), Close())),
        (faults.status_500(), (Send(HEAD + BODY),)),
    ],
    ids=repr,
)
def test_a_delivery_fault_is_a_script(fault: Fault, acts: tuple[object, ...]) -> None:
    """I can read what a fault does to the wire without running it."""
    assert acts == fault.on_delivery(HEAD, BODY)


def test_truncated_json_is_a_strict_prefix() -> None:
    """Truncation always takes something away."""
    assert [BODY[:3], BODY[:-1]] == [
        faults.truncated_json(after_bytes=count).on_answer(GOOD).body for count in (3, 999)
    ]


@given(st.floats(0, 1e6))
def test_a_true_wait_is_never_shortened(wait_s: float) -> None:
    """A client that waits what Retry-After says has waited long enough, by at most 1 ms more."""
    asked = faults.status_429().asking_to_wait(wait_s)

    assert isinstance(asked, RetryLaterFault)
    assert asked.retry_after_s is not None
    assert -1e-8 <= asked.retry_after_s - wait_s <= 0.001 + 1e-9
    assert asked.retry_after_s == float(dict(asked.headers())["retry-after"])
