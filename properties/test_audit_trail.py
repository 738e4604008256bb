"""AuditTrail: the intent before the effect, every attempt in it, one outcome a row, any crash."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st

from chaoscheck import VirtualWorld
from chaoscheck.checks.error_details import errors_equal_faults
from chaoscheck.checks.verdict import Verdict
from chaoscheck.components.audit_errors import AuditConflict
from chaoscheck.components.audit_recorder import AuditRecorder
from chaoscheck.components.audit_trail import AuditTrail
from chaoscheck.components.audited_run import accept_row
from chaoscheck.stateful.chaos import Chaos
from models.audit import (
    BeginCall,
    BeginRow,
    Book,
    EndCall,
    EndRow,
    Recover,
    ResumeRow,
    Step,
    step,
)
from models.llm_fates import FATES
from properties.audit_book import Bookkeeper, book_of
from properties.audited_process import UNSYNCED, AuditedProcess, Parts, judge
from properties.pipeline_faults import CORE_FAULTS
from properties.sqlite_crash import CrashAt, Crashed

When = Literal["before", "after"]

WHENS: tuple[When, When] = ("before", "after")
PLACES = st.integers(0, 2)

STEPS: st.SearchStrategy[Step] = st.one_of(
    st.just(BeginRow()),
    st.builds(BeginCall, row=PLACES),
    st.builds(EndCall, row=PLACES, call=st.integers(0, 1), status=st.sampled_from(["ok", "error"])),
    st.builds(EndRow, row=PLACES, outcome=st.sampled_from(["completed", "failed", "evicted"])),
    st.just(Recover()),
    st.builds(ResumeRow, row=PLACES),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashPoint:
    """Where a life ends: before or after its ``number``-th write."""

    number: int
    when: When


CRASHES = st.builds(CrashPoint, number=st.integers(1, 40), when=st.sampled_from(WHENS))


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with TemporaryDirectory() as name:
        yield Path(name)


# ---------------------------------------------------------------------- the book


def taken(keeper: Bookkeeper, book: Book, steps: list[Step], done: list[Book]) -> None:
    """Take ``steps`` one by one: the recorder does what the model does, and refuses as it does.

    ``done`` holds the book before the step under way, and the one after it.
    """
    for one in steps:
        after = step(book, one)
        done[:] = [book, book if after is None else after]
        if after is None:
            with pytest.raises((AuditConflict, IndexError, KeyError)):
                keeper.take(one)
        else:
            keeper.take(one)
            book = after
        done[:] = [book, book]


@given(st.lists(STEPS, max_size=12), st.none() | CRASHES)
def test_the_audit_equals_its_model_through_any_steps_and_a_crash(
    steps: list[Step], crash: CrashPoint | None
) -> None:
    """Each step is written whole or not at all, illegal ones change nothing, none is forgotten."""
    with folder() as place:
        path, left = place / "audit.db", place / "left.db"
        with AuditTrail.create(path, settings=UNSYNCED) as first:
            run = AuditRecorder(first).begin_run("model")
        hook = None
        if crash is not None:
            hook = CrashAt(number=crash.number, when=crash.when, path=path, to=left)
        done: list[Book] = [(), ()]
        with AuditTrail.open(path, settings=replace(UNSYNCED, on_write=hook)) as trail:
            keeper = Bookkeeper(AuditRecorder(trail), *run)
            try:
                taken(keeper, (), steps, done)
            except Crashed:
                path = left
            else:
                assert book_of(trail.export()) == done[1]
        with AuditTrail.open(path, settings=UNSYNCED) as reopened:
            found = book_of(reopened.export())
            assert found in done, f"{found} is neither the book before the crash nor after it"
            AuditRecorder(reopened).recover()
            assert book_of(reopened.export()) == step(found, Recover())


# ---------------------------------------------------------------------- lives of a process


class Lives:
    """Processes that follow one another in one world, each at the database the last one left."""

    def __init__(self, place: Path, faults: list[str], rows: int, parts: Parts) -> None:
        self.place = place
        self.rows = [{"text": f"row {number}"} for number in range(rows)]
        self.parts = parts
        self.world = VirtualWorld()
        self.world.open()
        chaos = Chaos(self.world)
        self.server = chaos.serve()
        for fault in faults:
            self.server.next_fault(fault)
        self.lived = 0

    def live(self, crash: CrashPoint | None = None) -> AuditedProcess:
        """One life, to its end or to its crash; then all laws that hold at such a time."""
        path, to = self._path(self.lived), self._path(self.lived + 1)
        hook = None
        if crash is not None:
            hook = CrashAt(number=crash.number, when=crash.when, path=path, to=to)
        settings = replace(UNSYNCED, on_write=hook)
        process = AuditedProcess(path=path, settings=settings, parts=self.parts)
        try:
            self.world.run(process.live, self.rows)
            if process.crash is None:
                self._check(process)
        finally:
            process.close()
        if process.crash is not None:
            self.lived += 1
            self._check_what_is_left()
        return process

    def give_up(self) -> Verdict:
        """All rows set out and are evicted while their calls are under way; the verdict at rest."""
        process = AuditedProcess(path=self._path(0), parts=self.parts)
        process.start()

        async def main() -> None:
            async with process.client, process.transform as transform:
                for index, row in enumerate(self.rows):
                    state = process.recorder.begin_row(process.run_id, process.node_id, index, row)
                    ticket = await accept_row(transform, process.output, state, row)
                    await trio.sleep(1)
                    assert transform.evict(ticket)
                    process.output.evicted(ticket)

        try:
            self.world.run(main)
            self.world.settle()
            return judge(process.read(), self.server.ledger, rows_in=len(self.rows))
        finally:
            process.close()

    def _check(self, process: AuditedProcess) -> None:
        audit = process.read()
        verdict = judge(audit, self.server.ledger, rows_in=len(self.rows))
        assert verdict.ok, str(verdict)
        details = errors_equal_faults(audit, self.server.ledger, FATES)
        assert details.ok, str(details)
        process.trail.check_integrity()

    def _check_what_is_left(self) -> None:
        """Whatever the instant of the crash: the audit knows of each request that got out."""
        process = AuditedProcess(path=self._path(self.lived))
        if not process.path.exists():
            return
        with self.parts.trail.open(process.path, settings=UNSYNCED) as process.trail:
            verdict = judge(process.read(), self.server.ledger, when="any_time")
        assert verdict.ok, str(verdict)

    def _path(self, life: int) -> Path:
        return self.place / f"life{life}.db"


@contextmanager
def lives(faults: list[str], *, rows: int, parts: Parts | None = None) -> Iterator[Lives]:
    """A server that meets the first requests with ``faults``, and a place for a process."""
    with folder() as place:
        these = Lives(place, faults, rows, parts or Parts())
        try:
            yield these
        finally:
            these.world.close()


def writes_of_a_life(faults: list[str], rows: int) -> int:
    """How many writes one undisturbed life takes."""
    with lives(faults, rows=rows) as these:
        return these.live(CrashPoint(number=10**6, when="before")).trail.writes


@pytest.mark.parametrize("when", WHENS)
def test_a_crash_at_any_write_loses_nothing_and_doubles_nothing(when: When) -> None:
    """Each of the 49 writes of two rows is tried: the next life brings every row to its end.

    Takes 1 s, since it leaves none out.
    """
    faults = ["status_429", "truncated_json"]
    count = writes_of_a_life(faults, 2)
    assert count == 49

    for number in range(1, count + 1):
        with lives(faults, rows=2) as these:
            assert these.live(CrashPoint(number=number, when=when)).crash is not None
            assert these.live().crash is None


@example(["reset_mid_body", "status_500"], [CrashPoint(number=17, when="after")] * 2)
@given(
    st.lists(st.sampled_from([kind.name for kind in CORE_FAULTS]), max_size=4),
    st.lists(CRASHES, max_size=3),
)
def test_any_number_of_lives_bring_each_row_to_one_outcome(
    faults: list[str], crashes: list[CrashPoint]
) -> None:
    """A process may die again while it recovers; whoever is last finishes the work."""
    with lives(faults, rows=3) as these:
        for crash in crashes:
            these.live(crash)
        assert these.live().crash is None
