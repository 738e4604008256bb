"""An answer on the wire: the truthful script, and its parts at any cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.plan.delivery import Act, Frame, Send, Wait, Wire

HEAD = b"head\r\n\r\n"

FRAMES = st.lists(st.builds(Frame, st.binary(max_size=5), st.sampled_from((0.0, 0.5))), max_size=5)


def _sent(acts: tuple[Act, ...]) -> bytes:
    return b"".join(act.data for act in acts if isinstance(act, Send))


def _waited_s(acts: tuple[Act, ...]) -> float:
    return sum(act.seconds for act in acts if isinstance(act, Wait))


@pytest.mark.parametrize(
    ("wire", "acts"),
    [
        (Wire(head=HEAD, frames=()), (Send(HEAD),)),
        (Wire(head=HEAD, frames=(Frame(b"body"),)), (Send(HEAD + b"body"),)),
        (Wire(head=HEAD, frames=(Frame(b""),)), (Send(HEAD),)),
        (Wire(head=HEAD, frames=(Frame(b"body", 2.0),)), (Wait(2.0), Send(HEAD + b"body"))),
        (
            Wire(head=HEAD, frames=(Frame(b"a"), Frame(b"b"), Frame(b"0")), chunked=True),
            (Send(HEAD + b"a"), Send(b"b0")),
        ),
        (
            Wire(head=HEAD, frames=(Frame(b"a", 1.0), Frame(b"b", 2.0)), chunked=True),
            (Send(HEAD), Wait(1.0), Send(b"a"), Wait(2.0), Send(b"b")),
        ),
    ],
)
def test_the_truthful_delivery_sends_each_frame_at_its_time(
    wire: Wire, acts: tuple[Act, ...]
) -> None:
    """A body goes out with its head, a last chunk with the last event; no head waits."""
    assert acts == wire.acts()


@given(FRAMES, st.integers(0, 30))
def test_the_two_parts_of_a_cut_are_the_whole(frames: list[Frame], count: int) -> None:
    """Wherever a fault cuts, no byte is lost, none is sent twice, and no pause is added."""
    wire = Wire(head=HEAD, frames=tuple(frames), chunked=True)
    before, after = wire.until(count), wire.after(count)

    assert HEAD + wire.body[:count] == _sent(before)
    assert wire.body[count:] == _sent(after)
    assert _waited_s(wire.acts()) == _waited_s(before) + _waited_s(after)


@given(FRAMES, st.integers(0, 30))
def test_the_head_goes_out_whatever_is_cut(frames: list[Frame], count: int) -> None:
    """A cut inside the body never takes a byte of the head."""
    first = Wire(head=HEAD, frames=tuple(frames)).until(count)[0]

    assert isinstance(first, Send)
    assert first.data.startswith(HEAD)
