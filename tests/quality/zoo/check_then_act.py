"""Check-then-act across an await: a janitor looks, says goodbye, and closes what is used again."""

from __future__ import annotations

from typing import ClassVar

import trio

from chaoscheck import ChaosMachine, invariant, rule
from tests.quality.zoo.race import Race

__all__ = ["CHECK_THEN_ACT"]


class ClosedUnderWayError(Exception):
    """The session was closed while it was in use."""


class Session:
    """A session that opens on use; its janitor closes it when nobody used it at the last look."""

    def __init__(self) -> None:
        self.is_open = False
        self.users = 0
        self._call = trio.Event()

    async def use(self) -> None:
        self.is_open = True
        self.users += 1
        try:
            for _ in range(2):
                await trio.lowlevel.checkpoint()
                if not self.is_open:
                    raise ClosedUnderWayError
        finally:
            self.users -= 1

    async def sweep(self) -> None:
        self._call.set()

    async def janitor(self) -> None:
        """Close the session, when called, if nobody uses it; runs for ever."""
        while True:
            await self._call.wait()
            self._call = trio.Event()
            await self.close_if_idle()

    async def close_if_idle(self) -> None:
        if self.users == 0:
            await trio.lowlevel.checkpoint()  # says goodbye to the peer
            self.is_open = False


class SteadySession(Session):
    """Says goodbye first, then looks and closes at one instant."""

    async def close_if_idle(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.users == 0:
            self.is_open = False


class Sweeping(ChaosMachine):
    """Uses and sweeps, overlapping, and the janitor as a third task.

    Smallest: a sweep, a use and one hold. Operations that are in flight together start
    together: in any order that gives each task one step a round, uses begin in the first and
    end in the third, and the janitor looks in the second. It takes one hold: a use begins when
    the janitor has looked.
    """

    doubts: ClassVar[tuple[type[Exception], ...]] = (ClosedUnderWayError,)
    session_type: ClassVar[type[Session]] = Session

    def setup(self) -> None:
        self.session = self.session_type()
        self.world.spawn(self.session.janitor, name="janitor")

    @rule(in_flight=True)
    async def sweep(self) -> None:
        await self.session.sweep()

    @rule(in_flight=True)
    async def use(self) -> None:
        await self.session.use()

    @invariant()
    def no_session_closes_while_it_is_used(self) -> None:
        broken = [each.number for each in self.history if each.error is not None]
        assert broken == [], f"the session closed under the operations {broken}"


class SoundSweeping(Sweeping):
    session_type = SteadySession


CHECK_THEN_ACT = Race(
    name="check_then_act",
    what="a session is closed under its user, since it was idle one checkpoint earlier",
    machine=Sweeping,
    sound=SoundSweeping,
    law="no_session_closes_while_it_is_used",
    smallest_steps=2,
    smallest_holds=1,
    plain_finds=False,
    services=("janitor",),
)
