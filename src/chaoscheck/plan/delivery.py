"""How an answer goes onto the wire: a short script of acts, played in order by the server.

A fault writes the script, the server only plays it. After the last act the connection is kept
alive, unless an act ended it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "Act",
    "Close",
    "Frame",
    "HalfClose",
    "Latency",
    "Reset",
    "Send",
    "SendParts",
    "Stall",
    "Wait",
    "Wire",
]


@dataclass(frozen=True, slots=True)
class Send:
    """Put these bytes on the wire."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SendParts:
    """Put on the wire what ``make`` makes, each piece once the one before it has gone out."""

    make: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Wait:
    """Let this many seconds pass on the server's clock; ends early when the client leaves."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Let this many seconds pass before anything is said: no fault's doing, so no effect of one."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stall:
    """Say nothing until the client leaves or everything is healed, then go on with the script."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Send RST once all earlier bytes are acknowledged; ends the connection."""


@dataclass(frozen=True, slots=True)
class Close:
    """Send FIN; ends the connection."""


@dataclass(frozen=True, slots=True)
class HalfClose:
    """Send FIN, and go on reading what the client sends until it leaves; ends the connection."""


Act = Send | SendParts | Wait | Latency | Stall | Reset | Close | HalfClose


class Frame(NamedTuple):
    """Bytes of a body that go out together, ``delay_s`` seconds after what came before.

    A whole JSON body is one frame; of a stream each event is one, in its chunk, and the last
    chunk (``0`` and an empty line) is a frame of its own.
    """

    data: bytes
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """An answer rendered: ``head`` is the status line and headers with the empty line.

    ``chunked`` tells that the frames bear chunk framing, and that the last one is the last chunk.
    A body in ``parts``, framed as well, stands in the place of frames; it follows the head after
    ``parts_delay_s`` seconds.
    """

    head: bytes
    frames: tuple[Frame, ...]
    chunked: bool = False
    parts: Callable[[], Iterator[bytes]] | None = None
    parts_delay_s: float = 0.0

    @property
    def body(self) -> bytes:
        """All frames joined: what follows the head, chunk framing included."""
        return b"".join([frame.data for frame in self.frames])

    def acts(self) -> tuple[Act, ...]:
        """The truthful delivery: everything, each frame at its time."""
        frames = self.frames
        if self.parts is not None:
            waits = (Wait(self.parts_delay_s),) if self.parts_delay_s > 0 else ()
            return (*waits, Send(self.head), SendParts(self.parts))
        if len(frames) == 1 and not self.chunked:
            data, delay_s = frames[0]
            send = Send(self.head + data)
            return (Wait(delay_s), send) if delay_s > 0 else (send,)
        return _acts(self.head, self._with_its_end([frame for frame in frames if frame.data]))

    def until(self, count: int) -> tuple[Act, ...]:
        """The head and the first ``count`` bytes of the body, each frame at its time."""
        return _acts(self.head, self._part(0, count))

    def after(self, count: int) -> tuple[Act, ...]:
        """What ``until`` leaves out."""
        return _acts(b"", self._with_its_end(self._part(count, len(self.body))))

    def _with_its_end(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        # The last chunk goes out with the last event: many a client leaves right after that one,
        # and must not look as if it had not waited for the end.
        if not self.chunked or len(frames) < 2 or frames[-1].delay_s > 0:
            return frames
        last = frames[-2]
        return [*frames[:-2], Frame(last.data + frames[-1].data, last.delay_s)]

    def _part(self, begin: int, end: int) -> list[Frame]:
        part: list[Frame] = []
        at = 0
        for data, delay_s in self.frames:
            piece = data[max(begin - at, 0) : max(end - at, 0)]
            if piece:
                part.append(Frame(piece, delay_s if at >= begin else 0.0))
            at += len(data)
        return part


def _acts(held: bytes, frames: Sequence[Frame]) -> tuple[Act, ...]:
    """Frames as acts; ``held`` goes out with the first of them, unless that comes later."""
    acts: list[Act] = []
    for data, delay_s in frames:
        if delay_s > 0:
            if held:
                acts.append(Send(held))
                held = b""
            acts.append(Wait(delay_s))
        acts.append(Send(held + data if held else data))
        held = b""
    if held:
        acts.append(Send(held))
    return tuple(acts)
