"""An LLM pipeline under audit: rows in flight, every fault, a broken link, and sudden deaths.

At every settled instant the server's ledger, the audit and the rows agree as far as they must;
at rest they agree in full. The process may be killed at any such instant; the next one goes on
from the files that it left.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import trio
from hypothesis import strategies as st

from chaoscheck import ChaosMachine, invariant, precondition, rule
from chaoscheck.checks.error_details import errors_equal_faults
from chaoscheck.components.audit_errors import AuditClosed
from chaoscheck.components.audit_recorder import AuditedState
from chaoscheck.components.audited_run import accept_row
from chaoscheck.errors import PlanError
from chaoscheck.plan.fault import Fault
from models.llm_fates import FATES
from properties.audited_process import AuditedProcess, Parts, judge
from properties.pipeline_faults import CORE_FAULTS
from properties.row_witnesses import RowWitnesses
from properties.sqlite_crash import copy_as_killed

PROBES = 2
LIVES_MAX = 3


@dataclass(slots=True, kw_only=True)
class Submitted:
    """A row on its way through the newest life; ``ticket`` is None until it was accepted."""

    text: str
    ticket: int | None = None


class AuditedPipeline(ChaosMachine):
    """Rows come and go while the provider, the link and the power switch do their worst."""

    faults: ClassVar[tuple[type[Fault], ...]] = CORE_FAULTS
    links: ClassVar[tuple[str, ...]] = ("cut", "half_close", "refuse", "reset")
    cancels: ClassVar[bool] = True
    #: What a closed transform answers; a row that an open one refuses has no outcome at rest.
    refusals: ClassVar[tuple[type[Exception], ...]] = (PlanError,)
    parts: ClassVar[Parts] = Parts()

    # ------------------------------------------------------------------ the world

    def setup(self) -> None:
        """The chaos server, and the first life of the process."""
        self.folder = TemporaryDirectory()
        self.server = self.chaos.serve()
        self.lives = 0
        self.rows: list[Submitted] = []
        self.gone: list[AuditedProcess] = []
        self._begin_life()

    def _begin_life(self) -> None:
        self.process = AuditedProcess(path=self._path(self.lives), parts=self.parts)
        self.scope = trio.CancelScope()
        self.process.start()
        self.world.spawn(self._live, self.process, self.scope, name="life")
        self.world.settle()

    def _path(self, life: int) -> Path:
        return Path(self.folder.name, f"life{life}.db")

    async def _live(self, process: AuditedProcess, scope: trio.CancelScope) -> None:
        try:
            with scope:
                async with process.client, process.transform:
                    await trio.sleep_forever()
        except* AuditClosed:
            # What a killed process would still have done finds its audit fenced off.
            if process not in self.gone:
                raise

    def resting(self) -> bool:
        """No row is waiting to be accepted or completed."""
        return not self.world.in_flight() and not self.process.transform.pending

    def teardown(self) -> None:
        """Also close the databases and remove their folder."""
        try:
            super().teardown()
        finally:
            for process in (*self.gone, self.process):
                process.close()
            self.folder.cleanup()

    # ------------------------------------------------------------------ rules

    @rule(in_flight=True, count=st.integers(1, 3))
    async def submit(self, count: int) -> None:
        """Somebody hands over so many rows, one after the other; each is written down first."""
        await self._submit(count)

    async def _submit(self, count: int) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()  # whoever was killed hands over nothing
        for _ in range(count):
            process, index = self.process, len(self.rows)
            row = Submitted(text=f"row {index}")
            self.rows.append(row)
            state = process.recorder.begin_row(
                process.run_id, process.node_id, index, {"text": row.text}
            )
            await self._hand_over(process, state, row)
            if process in self.gone:
                return  # whoever handed over rows in that process is gone with it

    async def _hand_over(
        self, process: AuditedProcess, state: AuditedState, row: Submitted
    ) -> None:
        try:
            row.ticket = await accept_row(
                process.transform, process.output, state, {"text": row.text}
            )
        except PlanError:
            if process not in self.gone:
                raise
        except trio.Cancelled:
            if process not in self.gone:  # who gives up says so; the dead say nothing
                process.recorder.evict_row(state)
            raise

    @rule(in_flight=True, position=st.integers(0, 4))
    async def evict(self, position: int) -> None:
        """One of the accepted rows is given up."""
        await trio.lowlevel.checkpoint()  # others go on meanwhile: it may be completing just now
        transform = self.process.transform
        # A ticket may be taken that its submitter has not been told of: only those told count.
        told = {row.ticket for row in self.rows}
        pending = [ticket for ticket in transform.pending if ticket in told]
        if position < len(pending) and transform.evict(pending[position]):
            self.process.output.evicted(pending[position])

    @precondition(lambda self: self.lives < LIVES_MAX)
    @rule()
    def kill(self) -> None:
        """The process is gone between two steps; the next one takes up what it left."""
        dead = self.process
        copy_as_killed(self._path(self.lives), self._path(self.lives + 1))
        self.gone.append(dead)
        dead.trail.fence()
        self.scope.cancel()
        for operation in self.world.in_flight():
            operation.cancel()
        self.lives += 1
        self._begin_life()
        self._resume()

    def _resume(self) -> None:
        process = self.process
        for index, known in process.recorder.known_rows(process.run_id).items():
            row = self.rows[index]
            row.ticket = None
            if known.outcome is None:
                state = process.recorder.resume_row(
                    known, process.node_id, index, {"text": row.text}
                )
                self.world.start(self._hand_over, process, state, row, name="resume")

    # ------------------------------------------------------------------ laws

    @invariant()
    def no_request_leaves_unaudited(self) -> None:
        """What the server saw is in the audit, and what is ok there was wholly sent."""
        verdict = judge(self.process.read(), self.server.ledger, when="any_time")
        assert verdict.ok, str(verdict)

    @invariant(at_rest=True)
    def rows_calls_and_exchanges_reconcile(self) -> None:
        """Every row has one outcome, nothing is open, nothing is missing on either side."""
        verdict = judge(self.process.read(), self.server.ledger, rows_in=len(self.rows))
        assert verdict.ok, str(verdict)

    @invariant()
    def stored_errors_equal_their_faults(self) -> None:
        """Status, kind and body of each stored error are those of its own attempt."""
        witnesses = RowWitnesses(self.server.ledger, self.world.network.link_faults, ())
        verdict = errors_equal_faults(
            self.process.read(), self.server.ledger, FATES, disturbed=witnesses.may_be_lost
        )
        assert verdict.ok, str(verdict)

    @invariant(healed=True)
    def everything_came_to_an_end(self) -> None:
        """Once healed, every row has its outcome and the next probes all succeed."""
        self.world.run(self._submit, PROBES)
        self.world.advance(60.0)
        assert self.resting()
        self.rows_calls_and_exchanges_reconcile()
        self.process.trail.check_integrity()
        probes = self.process.read().rows[-PROBES:]
        assert [("completed",)] * PROBES == [row.outcomes for row in probes]


TestAuditedPipeline = AuditedPipeline.TestCase
