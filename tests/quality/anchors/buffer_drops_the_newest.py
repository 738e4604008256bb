"""A bounded buffer that drops its newest message instead of its oldest after a reconnect."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from hypothesis.stateful import precondition

from chaoscheck import ChaosMachine, invariant, rule
from tests.quality.anchors.anchor import Anchor

__all__ = ["BUFFER_DROPS_THE_NEWEST"]

SIZE_MAX = 2


class BufferedLink:
    """Sends at once while it is connected; else it keeps the newest ``SIZE_MAX`` messages."""

    def __init__(self) -> None:
        self.connected = True
        self.delivered: list[int] = []
        self._held: list[int] = []
        self._reconnects = 0

    def send(self, message: int) -> None:
        if self.connected:
            self.delivered.append(message)
            return
        self._held.append(message)
        if len(self._held) > SIZE_MAX:
            self._drop()

    def disconnect(self) -> None:
        self.connected = False

    def reconnect(self) -> None:
        self.connected = True
        self._reconnects += 1
        self.delivered += self._held
        self._held.clear()

    def _drop(self) -> None:
        del self._held[0]


class DroppingTheNewest(BufferedLink):
    """Once it was connected anew, it drops from the wrong end."""

    def _drop(self) -> None:
        del self._held[-1 if self._reconnects else 0]


class Linked(ChaosMachine):
    """Messages are sent over a link that goes down and comes up again.

    Smallest, with room for two: down and up again, which brings the bug about; down, three
    messages, of which one is dropped; and up again, for what was dropped shows only in what
    arrives. A message that is sent while the link is up is never buffered.
    """

    link_type: ClassVar[type[BufferedLink]] = DroppingTheNewest

    def setup(self) -> None:
        self.link = self.link_type()
        self.sent = 0
        self.buffered: deque[int] = deque(maxlen=SIZE_MAX)
        self.expected: list[int] = []

    @rule()
    def send(self) -> None:
        self.sent += 1
        (self.expected if self.link.connected else self.buffered).append(self.sent)
        self.link.send(self.sent)

    @rule()
    @precondition(lambda self: self.link.connected)
    def disconnect(self) -> None:
        self.link.disconnect()

    @rule()
    @precondition(lambda self: not self.link.connected)
    def reconnect(self) -> None:
        self.link.reconnect()
        self.expected += self.buffered
        self.buffered.clear()

    @invariant()
    def all_but_the_oldest_arrives(self) -> None:
        delivered = self.link.delivered
        assert self.expected == delivered, f"expected {self.expected}, delivered {delivered}"


class SoundLinked(Linked):
    link_type = BufferedLink


BUFFER_DROPS_THE_NEWEST = Anchor(
    name="buffer_drops_the_newest",
    what="a bounded buffer drops the newest instead of the oldest message after a reconnect",
    machine=Linked,
    sound=SoundLinked,
    law="all_but_the_oldest_arrives",
    smallest_steps=7,
    pools={},
)
