"""Forgotten wake-up: the bell rings between a look at the box and lying down beside it."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

import trio

from chaoscheck import ChaosMachine, invariant, rule
from tests.quality.zoo.race import Race

__all__ = ["FORGOTTEN_WAKE_UP"]


class Mailbox:
    """Whoever finds the box empty waits for a bell; it looks first, and hangs up its bell later."""

    def __init__(self) -> None:
        self.letters = 0
        self._bells: deque[trio.Event] = deque()

    async def get(self) -> None:
        while not self.letters:
            await trio.lowlevel.checkpoint()
            await self.sleep()
        self.letters -= 1

    async def sleep(self) -> None:
        """Wait for the next letter."""
        bell = trio.Event()
        self._bells.append(bell)
        await bell.wait()

    def put(self) -> None:
        self.letters += 1
        if self._bells:
            self._bells.popleft().set()


class AlertMailbox(Mailbox):
    """Looks and hangs up its bell at one instant."""

    async def get(self) -> None:
        await trio.lowlevel.checkpoint()
        while not self.letters:
            await self.sleep()
        self.letters -= 1


class Posting(ChaosMachine):
    """Letters are put in and waited for.

    Smallest: a get and a put, no hold. The get has looked, the put rings no bell, and the get
    lies down beside a letter. Either alone is right.
    """

    mailbox_type: ClassVar[type[Mailbox]] = Mailbox

    def setup(self) -> None:
        self.mailbox = self.mailbox_type()

    @rule(in_flight=True, may_stay=True)  # it waits for a letter that may never be put
    async def get(self) -> None:
        await self.mailbox.get()

    @rule(in_flight=True)
    async def put(self) -> None:
        self.mailbox.put()

    @invariant()
    def nobody_waits_beside_a_letter(self) -> None:
        waiting = self.world.in_flight() if self.mailbox.letters else []
        assert waiting == [], f"{waiting} wait beside {self.mailbox.letters} letters"


class SoundPosting(Posting):
    mailbox_type = AlertMailbox


FORGOTTEN_WAKE_UP = Race(
    name="forgotten_wake_up",
    what="a letter comes after the look and before the bell, and its receiver sleeps for ever",
    machine=Posting,
    sound=SoundPosting,
    law="nobody_waits_beside_a_letter",
    smallest_steps=2,
    smallest_holds=0,
    plain_finds=True,
)
