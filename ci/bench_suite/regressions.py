"""What kept stories cost: a thousand of them, verified in one run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from chaoscheck.plan.program import Literal, Program, Step
from chaoscheck.regressions.folder import Folder
from chaoscheck.regressions.law import Law
from chaoscheck.regressions.regression import Regression
from chaoscheck.regressions.verifying import verified
from metric import Metric

STORIES = 1_000
STEPS = 8
MACHINE = """
from hypothesis import strategies as st
from chaoscheck import ChaosMachine, faults, invariant, rule


class Counter(ChaosMachine):
    faults = (faults.status_429,)

    def setup(self):
        self.chaos.serve()
        self.total = 0

    @rule(by=st.integers(0, 10**6))
    async def add(self, by):
        self.total += by

    @invariant()
    def stays_small(self):
        assert self.total < 10**9


TestCounter = Counter.TestCase
"""


def regression_metrics() -> Iterator[Metric]:
    """CPU seconds to verify a thousand files, each of eight steps, collection included."""
    with tempfile.TemporaryDirectory() as name:
        folder = _filled(Path(name).resolve())
        before = time.process_time()
        results = verified([folder])
        seconds = time.process_time() - before
    passed = sum(each.status == "passes" for each in results)
    yield Metric(
        name="regressions verified as passing",
        value=passed,
        unit="files",
        target=STORIES,
        at_least=True,
    )
    yield Metric(
        name="verifying 1000 regression files (CPU)",
        value=seconds,
        unit="s",
        target=5.0,
        at_least=False,
    )


def _filled(place: Path) -> Folder:
    (place / "test_counter.py").write_text(MACHINE, encoding="utf-8")
    folder = Folder(place / "regressions")
    with folder.locked():
        for number in range(STORIES):
            folder.write(_story(number))
    return folder


def _story(first: int) -> Regression:
    steps = tuple(
        Step(number=place, rule="add", arguments={"by": Literal(first * place)})
        for place in range(1, STEPS + 1)
    )
    return Regression(
        chaos_key="Counter",
        file="test_counter.py",
        machine="Counter",
        world="virtual",
        law=Law(name="stays_small", exception="AssertionError", message="too much"),
        story=tuple(map(str, steps)),
        program=Program(steps=steps),
        digest="",
        versions={},
    )
