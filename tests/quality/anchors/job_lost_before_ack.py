"""A queue that loses a job when its worker dies between dequeue and acknowledgement."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from hypothesis import strategies as st

from chaoscheck import ChaosMachine, invariant, rule
from tests.quality.anchors.anchor import Anchor

__all__ = ["JOB_LOST_BEFORE_ACK"]

WORKERS = 3


class JobQueue:
    """Jobs wait, are taken by one worker at a time, and are done once they are acknowledged."""

    def __init__(self) -> None:
        self.waiting: deque[int] = deque()
        self.taken: dict[int, int] = {}
        self.done: list[int] = []

    def submit(self, job: int) -> None:
        self.waiting.append(job)

    def dequeue(self, worker: int) -> None:
        """An idle worker takes the oldest job, if there is one."""
        if self.waiting and worker not in self.taken:
            self.taken[worker] = self.waiting.popleft()

    def acknowledge(self, worker: int) -> None:
        """What the worker holds, if anything, is done."""
        if worker in self.taken:
            self.done.append(self.taken.pop(worker))

    def worker_died(self, worker: int) -> None:
        """Another takes its place; what it held is the next job."""
        if worker in self.taken:
            self.waiting.appendleft(self.taken.pop(worker))


class ForgetfulQueue(JobQueue):
    """Forgets what a dead worker held."""

    def worker_died(self, worker: int) -> None:
        self.taken.pop(worker, None)


class Working(ChaosMachine):
    """Workers take jobs, acknowledge them and die.

    Smallest: a job is submitted, a worker takes it, and this worker dies. Each of the three is
    needed, for only a job that a worker holds can be lost.
    """

    queue_type: ClassVar[type[JobQueue]] = ForgetfulQueue

    def setup(self) -> None:
        self.queue = self.queue_type()
        self.submitted = 0

    @rule()
    def submit(self) -> None:
        self.submitted += 1
        self.queue.submit(self.submitted)

    @rule(worker=st.integers(1, WORKERS))
    def dequeue(self, worker: int) -> None:
        self.queue.dequeue(worker)

    @rule(worker=st.integers(1, WORKERS))
    def acknowledge(self, worker: int) -> None:
        self.queue.acknowledge(worker)

    @rule(worker=st.integers(1, WORKERS))
    def kill(self, worker: int) -> None:
        self.queue.worker_died(worker)

    @invariant()
    def every_job_is_somewhere_once(self) -> None:
        queue = self.queue
        known = sorted([*queue.waiting, *queue.taken.values(), *queue.done])
        assert list(range(1, self.submitted + 1)) == known, f"of {self.submitted} jobs: {known}"


class SoundWorking(Working):
    queue_type = JobQueue


JOB_LOST_BEFORE_ACK = Anchor(
    name="job_lost_before_ack",
    what="a job is lost when its worker dies between dequeue and acknowledgement",
    machine=Working,
    sound=SoundWorking,
    law="every_job_is_somewhere_once",
    smallest_steps=3,
    pools={
        (name, "worker"): tuple(range(1, WORKERS + 1))
        for name in ("dequeue", "acknowledge", "kill")
    },
)
