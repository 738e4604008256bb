"""Starvation: a job that is held until all others are done finds its pool closed."""

from __future__ import annotations

from typing import ClassVar

import trio

from chaoscheck import ChaosMachine, invariant, rule
from tests.quality.zoo.race import Race

__all__ = ["STARVED_JOB"]


class JobLostError(Exception):
    """The pool was closed when an accepted job arrived at it."""


class Pool:
    """Opens for the first job and closes after the last; a job counts once it has arrived."""

    def __init__(self) -> None:
        self.is_open = False
        self.active = 0

    async def submit(self) -> None:
        self.is_open = True
        self.accept()
        await trio.lowlevel.checkpoint()  # the job travels to its worker
        self.arrive()
        if not self.is_open:
            raise JobLostError
        await trio.lowlevel.checkpoint()  # the job itself
        self.active -= 1
        if self.active == 0:
            self.is_open = False

    def accept(self) -> None:
        """The job is accepted; it does not count yet."""

    def arrive(self) -> None:
        """The job counts."""
        self.active += 1


class CountingPool(Pool):
    """A job counts from the moment it is accepted."""

    def accept(self) -> None:
        self.active += 1

    def arrive(self) -> None:
        """It counts already."""


class Submitting(ChaosMachine):
    """Jobs, overlapping.

    Smallest: two jobs and one hold. One job alone finds the pool as it left it. In any order
    that gives each task one step a round, all jobs of a round are accepted, arrive and end
    together, so none ends before another has arrived. It takes one hold: a job that was accepted
    does not arrive until the last of the others has ended.
    """

    doubts: ClassVar[tuple[type[Exception], ...]] = (JobLostError,)
    pool_type: ClassVar[type[Pool]] = Pool

    def setup(self) -> None:
        self.pool = self.pool_type()

    @rule(in_flight=True)
    async def submit(self) -> None:
        await self.pool.submit()

    @invariant(at_rest=True)
    def an_accepted_job_is_done(self) -> None:
        lost = [job.number for job in self.history if job.status != "ok"]
        assert lost == [], f"the jobs {lost} were accepted and never done"


class SoundSubmitting(Submitting):
    pool_type = CountingPool


STARVED_JOB = Race(
    name="starved_job",
    what="the pool closes after the last job that it counts, while an accepted one is on its way",
    machine=Submitting,
    sound=SoundSubmitting,
    law="an_accepted_job_is_done",
    smallest_steps=2,
    smallest_holds=1,
    plain_finds=False,
)
