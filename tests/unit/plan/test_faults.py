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
from chaoscheck.plan.delivery import Act, Close, Frame, Reset, Send, Stall, Wait, Wire
from chaoscheck.plan.delivery import HalfClose as StopSending
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.status_fault import RetryLaterFault
from chaoscheck.plan.faults.broken_chunking import BrokenChunking
from chaoscheck.plan.faults.content_length_long import ContentLengthLong
from chaoscheck.plan.faults.content_length_short import ContentLengthShort
from chaoscheck.plan.faults.half_close import HalfClose
from chaoscheck.plan.faults.huge_body import HugeBody
from chaoscheck.plan.faults.missing_fields import MissingFields
from chaoscheck.plan.faults.refuse import Refuse
from chaoscheck.plan.faults.reset_mid_headers import ResetMidHeaders
from chaoscheck.plan.faults.slow_drip import SlowDrip
from chaoscheck.plan.faults.wrong_types import WrongTypes
from chaoscheck.plan.notation import parse_fault
from chaoscheck.strategies.faults import faults as drawn_faults

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
BODY = b'{"a": "0123456789"}'
GOOD = Answer(status=200, headers=(("content-type", "application/json"),), body=BODY)
WIRE = Wire(head=HEAD, frames=(Frame(BODY),))
STREAM = Wire(
    head=CHUNKED + b"\r\n",
    frames=(Frame(b"2\r\nab\r\n"), Frame(b"3\r\ncde\r\n", 1.0), Frame(b"0\r\n\r\n")),
    chunked=True,
)


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
    ("fault", "wire", "acts"),
    [
        (faults.slow_response(delay_s=3), WIRE, (Wait(3), Send(HEAD + BODY))),
        (faults.stall_before_headers(), WIRE, (Stall(), Send(HEAD + BODY))),
        (faults.reset_before_headers(), WIRE, (Reset(),)),
        (faults.close_before_headers(), WIRE, (Close(),)),
        (
            faults.stall_mid_body(after_bytes=4),
            WIRE,
            (Send(HEAD + BODY[:4]), Stall(), Send(BODY[4:])),
        ),
        (
            faults.stall_mid_body(after_bytes=9),
            STREAM,
            (
                Send(STREAM.head + b"2\r\nab\r\n"),
                Wait(1.0),
                Send(b"3\r"),
                Stall(),
                Send(b"\ncde\r\n0\r\n\r\n"),
            ),
        ),
        (faults.reset_mid_body(after_bytes=0), WIRE, (Send(HEAD), Reset())),
        (faults.close_mid_body(after_bytes=4), WIRE, (Send(HEAD + BODY[:4]), Close())),
        (faults.close_mid_body(after_bytes=len(BODY)), WIRE, (Send(HEAD + BODY[:-1]), Close())),
        (faults.status_500(), WIRE, (Send(HEAD + BODY),)),
        (Refuse(), Wire(head=b"", frames=()), (Reset(),)),
        (ResetMidHeaders(after_bytes=5), WIRE, (Send(b"HTTP/"), Reset())),
        (ResetMidHeaders(after_bytes=10_000), WIRE, (Send(HEAD[:-1]), Reset())),
        (HalfClose(after_bytes=4), WIRE, (Send(HEAD + BODY[:4]), StopSending())),
        (HalfClose(after_bytes=9999), WIRE, (Send(HEAD + BODY[:-1]), StopSending())),
        (ContentLengthShort(), WIRE, (Send(CLOSING % 9 + BODY), Close())),
        (ContentLengthShort(by_bytes=99), WIRE, (Send(CLOSING % 0 + BODY), Close())),
        (ContentLengthLong(by_bytes=81), WIRE, (Send(CLOSING % 100 + BODY), Close())),
        (
            ContentLengthLong(by_bytes=1),
            Wire(head=CLOSING % 19, frames=(Frame(BODY, 2.0),)),
            (Wait(2.0), Send(CLOSING % 20 + BODY), Close()),
        ),
        (
            BrokenChunking(),
            WIRE,
            (
                Send(
                    CHUNKED
                    + b"connection: close\r\n\r\na\r\n"
                    + BODY[:10]
                    + b"\r\nzz\r\n"
                    + BODY[10:]
                    + b"\r\n"
                ),
                Close(),
            ),
        ),
        (
            BrokenChunking(),
            STREAM,
            (Send(STREAM.head + b"2\r\nab\r\nzz\r\ncde\r\n"), Close()),
        ),
    ],
    ids=lambda value: repr(value) if isinstance(value, Fault) else "",
)
def test_a_delivery_fault_is_a_script(fault: Fault, wire: Wire, acts: tuple[Act, ...]) -> None:
    """I can read what a fault does to the wire without running it."""
    assert acts == fault.on_delivery(wire)


@pytest.mark.parametrize(
    ("fault", "wire", "pieces"),
    [
        (SlowDrip(), WIRE, [(0, HEAD + BODY[:16]), (0.05, BODY[16:])]),
        (SlowDrip(piece_bytes=99, delay_s=3), WIRE, [(0, HEAD + BODY[:-1]), (3, BODY[-1:])]),
        (
            SlowDrip(piece_bytes=5, delay_s=0.25),
            STREAM,
            [
                (0, STREAM.head + b"2\r\nab"),
                (0.25, b"\r\n"),
                (1.25, b"3\r\ncd"),
                (0.25, b"e\r\n"),
                (0.25, b"0\r\n\r\n"),
            ],
        ),
    ],
)
def test_a_slow_drip_comes_piece_by_piece(
    fault: Fault, wire: Wire, pieces: list[tuple[float, bytes]]
) -> None:
    """Each piece but the first is late; what is late without the fault is later still."""
    acts: list[Act] = []
    for late_s, data in pieces:
        acts += [Wait(late_s), Send(data)] if late_s else [Send(data)]

    assert tuple(acts) == fault.on_delivery(wire)


def test_a_slow_drip_ends() -> None:
    """However long the body and small the pieces, there are at most 256."""
    wire = Wire(head=HEAD, frames=(Frame(b"x" * 1_000_001),))
    acts = SlowDrip(piece_bytes=1).on_delivery(wire)

    assert [256, 1_000_001 + len(HEAD)] == [
        len([act for act in acts if isinstance(act, Send)]),
        sum(len(act.data) for act in acts if isinstance(act, Send)),
    ]


@pytest.mark.parametrize(
    ("kind", "parameter", "value", "says"),
    [
        (ResetMidHeaders, "after_bytes", 0, ">= 1, got 0"),
        (HalfClose, "after_bytes", -1, ">= 0, got -1"),
        (SlowDrip, "piece_bytes", 0, ">= 1, got 0"),
        (SlowDrip, "piece_bytes", True, "got True"),
        (SlowDrip, "delay_s", 0, "> 0 and <= 10, got 0"),
        (SlowDrip, "delay_s", 10.5, "> 0 and <= 10, got 10.5"),
        (SlowDrip, "delay_s", "x", "got 'x'"),
        (ContentLengthShort, "by_bytes", 0, "[1, 1000000000], got 0"),
        (ContentLengthLong, "by_bytes", 10**9 + 1, "[1, 1000000000], got 1000000001"),
        (HugeBody, "size_bytes", 0, "[1, 67108864], got 0"),
        (HugeBody, "size_bytes", 2**26 + 1, "[1, 67108864], got 67108865"),
        (MissingFields, "part", "choices", "'content', 'items', 'usage', got 'choices'"),
        (WrongTypes, "part", None, "'content', 'items', 'usage', got None"),
    ],
)
def test_a_parameter_out_of_range_is_refused(
    kind: type[Fault], parameter: str, value: object, says: str
) -> None:
    """The message names the fault, the parameter, my value and the legal range."""
    with pytest.raises(PlanError) as refusal:
        kind(**{parameter: value})

    assert str(refusal.value).startswith(f"{kind.name}: {parameter} must be ")
    assert says in str(refusal.value)


def test_only_a_refused_connection_is_struck_before_its_request() -> None:
    """Every other fault is decided once the request is known."""
    kinds: set[type[Fault]] = {*FAULTS, Refuse, ResetMidHeaders, HalfClose}

    assert {Refuse} == {kind for kind in kinds if kind.strikes == "connection"}


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
