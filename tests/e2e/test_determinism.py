"""One failure, replayed a thousand times in ten processes: one and the same story."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from chaoscheck.plan.program import Program, Reference
from chaoscheck.plan.program_text import to_blob
from chaoscheck.stateful.driver import ProgramDriver
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.world.drawn_schedules import Walk
from chaoscheck.world.schedule import Scheduler
from tests.programs.chatter import Undivided
from tests.programs.replay_digest import Tangle, digest_of
from tests.unit.stateful.stories import story

PROCESSES = 10
REPLAYS = 100  # in each process
AT_ONCE = 2


def test_a_thousand_replays_in_ten_processes_under_ten_hash_seeds_are_one() -> None:
    """What I send to a colleague is what happened here. Ten Python starts: up to 20 s of CPU."""
    program = _tangled()
    blob = to_blob(program)

    digests: list[list[str]] = []
    for first in range(0, PROCESSES, AT_ONCE):
        started = [_elsewhere(blob, hash_seed) for hash_seed in range(first, first + AT_ONCE)]
        digests += [_digests(process) for process in started]

    assert [[digest_of(program)]] * PROCESSES == digests


class _Chanced(ProgramDriver):
    """The steps of a program, all else by chance."""

    def __init__(self, program: Program, seed: int) -> None:
        super().__init__(program)
        self.choices = Undivided(seed)

    def scheduler(self, schedules: str = "") -> Scheduler:
        """A random walk."""
        return Walk(self.choices)


def _tangled() -> Program:
    """A failing story in which all else is decided by chance: faults, latency, order."""
    first = {"operation": Reference(1)}
    steps = story(
        "ask",
        "ask",
        ("cancel", {**first, "checkpoint": 4}),
        ("let_time_pass", {"seconds": 0.1}),
        "ask",
        ("join", {"operation": Reference(2)}),
        ("join", {"operation": Reference(5)}),
    )
    program = replay(Tangle, steps, driver=_Chanced(steps, 7)).story.program
    assert program is not None, "it did not fail"
    assert program.holds, "a story without a schedule shows less"
    assert program.decisions, "a story without chance shows less"
    return program


def _elsewhere(blob: str, hash_seed: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.programs.replay_digest", blob, str(REPLAYS)],
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        stdout=subprocess.PIPE,
        text=True,
    )


def _digests(process: subprocess.Popen[str]) -> list[str]:
    output, _ = process.communicate(timeout=60)
    assert 0 == process.returncode
    digests: list[str] = json.loads(output)
    return digests
