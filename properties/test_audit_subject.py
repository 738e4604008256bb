"""Any audit, ours or the subject chosen, equals its model through all steps and reopenings."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hypothesis import strategies as st

from chaoscheck import ChaosMachine, invariant, rule
from chaoscheck.components.audit_errors import AuditConflict
from chaoscheck.components.audit_recorder import AuditRecorder
from chaoscheck.subjects.chosen import build as build_subject
from models.audit import BeginCall, BeginRow, Book, EndCall, EndRow, Recover, ResumeRow, Step, step
from properties.audit_book import Bookkeeper, book_of

PLACES = st.integers(0, 2)
CALLS = st.integers(0, 1)


class AuditSteps(ChaosMachine):
    """Rows begin, call, end, are resumed and recovered; the audit is closed and opened again."""

    def setup(self) -> None:
        """An empty audit with one run."""
        self.folder = Path(mkdtemp())
        self.book: Book = ()
        self._open()
        self.run_id, self.node_id = self.recorder.begin_run("model")

    def teardown(self) -> None:
        """The folder goes with the example."""
        try:
            super().teardown()
        finally:
            self.recorder.close()
            shutil.rmtree(self.folder)

    def make_recorder(self, path: Path) -> Any:
        """The audit under test: a twin's, else the subject chosen."""
        return build_subject("audit_trail", self.world, path)

    def _open(self) -> None:
        self.recorder = self.make_recorder(self.folder / "audit.db")

    # ------------------------------------------------------------------ rules

    @rule()
    def begin_row(self) -> None:
        """A new row sets out."""
        self._take(BeginRow())

    @rule(row=PLACES)
    def begin_call(self, row: int) -> None:
        """A call of this row is about to be made."""
        self._take(BeginCall(row=row))

    @rule(row=PLACES, call=CALLS, status=st.sampled_from(["ok", "error", "unknown"]))
    def end_call(self, row: int, call: int, status: Any) -> None:
        """A call of this row ended."""
        self._take(EndCall(row=row, call=call, status=status))

    @rule(row=PLACES, outcome=st.sampled_from(["completed", "failed", "evicted"]))
    def end_row(self, row: int, outcome: Any) -> None:
        """This row came to its outcome."""
        self._take(EndRow(row=row, outcome=outcome))

    @rule(row=PLACES)
    def resume_row(self, row: int) -> None:
        """This row is tried again."""
        self._take(ResumeRow(row=row))

    @rule()
    def reopen(self) -> None:
        """The process ends and another one opens what it left."""
        self.recorder.close()
        self._open()

    @rule()
    def recover(self) -> None:
        """What was under way when the last process ended is settled."""
        self._take(Recover())

    def _take(self, one: Step) -> None:
        after = step(self.book, one)
        keeper = Bookkeeper(self.recorder, self.run_id, self.node_id)
        if after is not None:
            keeper.take(one)
            self.book = after
            return
        try:
            keeper.take(one)
        except self._refusals():
            return
        raise AssertionError(f"{one} is not legal now and was taken")

    def _refusals(self) -> tuple[type[Exception], ...]:
        """What an illegal step raises: of another's subject the protocol names no class."""
        ours = isinstance(self.recorder, AuditRecorder)
        return (AuditConflict, IndexError, KeyError) if ours else (Exception,)

    # ------------------------------------------------------------------ laws

    @invariant()
    def the_audit_equals_its_model(self) -> None:
        """Every step so far is there, whole, and nothing else is."""
        assert book_of(self.recorder.export()) == self.book


TestAuditSteps = AuditSteps.TestCase
