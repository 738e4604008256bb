"""A run under audit: rows through a transform, each with its intent, its calls, its outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from chaoscheck.components.audit_errors import AuditConflict, RowUnstorable
from chaoscheck.components.audit_recorder import AuditedState, AuditRecorder, KnownRow
from chaoscheck.components.audit_trail import AuditSettings, AuditTrail
from chaoscheck.components.audited_calls import auditing
from chaoscheck.components.output_port import OutputPort, RowResult
from chaoscheck.world import ambient

__all__ = [
    "AuditedOutputPort",
    "Intake",
    "RowTransform",
    "accept_row",
    "create_recorder_and_run",
    "process_rows_through_transform",
]

DATABASE_NAME = "audit.db"


class RowTransform(Protocol):
    """An open transform: what an audited run asks of it."""

    async def accept(self, row: Mapping[str, object]) -> int:
        """Take a row and return its ticket, in the same step in which the row is on its way."""

    def evict(self, ticket: int) -> bool:
        """Give up a row; False if it has left already."""

    async def flush(self) -> None:
        """Wait until no row is pending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """How many rows were accepted, refused for good, and done already by an earlier run."""

    accepted: int = 0
    refused: int = 0
    done_before: int = 0


class AuditedOutputPort:
    """Records the terminal outcome of each row, then hands its result to ``port``.

    ``destination`` says where failed rows go; "discard" means that only the audit keeps them.
    """

    def __init__(
        self, recorder: AuditRecorder, port: OutputPort, *, destination: str = "discard"
    ) -> None:
        self._recorder = recorder
        self._port = port
        self._destination = destination
        self._expected: dict[int, AuditedState] = {}

    def expect(self, ticket: int, state: AuditedState) -> None:
        """The result with ``ticket`` is the one of ``state``."""
        self._expected[ticket] = state

    def emit(self, result: RowResult) -> None:
        """Record and hand over. AuditConflict for a result that belongs to no audited row."""
        state = self._take(result.ticket)
        if result.error is None:
            outcome = {
                "content": result.content,
                "model": result.model,
                "usage": dict(result.usage),
                "attempts": result.attempts,
            }
            self._recorder.complete_row(state, outcome)
        else:
            self._recorder.fail_row(state, result.error, destination=self._destination)
        self._port.emit(result)

    def evicted(self, ticket: int) -> None:
        """The row with ``ticket`` will never be emitted."""
        self._recorder.evict_row(self._take(ticket))

    def _take(self, ticket: int) -> AuditedState:
        state = self._expected.pop(ticket, None)
        if state is None:
            raise AuditConflict(f"no audited row expects a result, got one with ticket {ticket}")
        return state


def create_recorder_and_run(
    tmp_path: Path,
    plugin_name: str,
    *,
    settings: AuditSettings | None = None,
    new_id: Callable[[], str] = ambient.new_id,
    utc_now: Callable[[], datetime] = ambient.utc_now,
) -> tuple[AuditRecorder, str, str]:
    """A new audit in the folder ``tmp_path`` with one run; (recorder, run id, node id).

    Close ``recorder.trail`` at the end. Raises AuditError.
    """
    trail = AuditTrail.create(tmp_path / DATABASE_NAME, settings=settings)
    try:
        recorder = AuditRecorder(trail, new_id=new_id, utc_now=utc_now)
        return recorder, *recorder.begin_run(plugin_name)
    except BaseException:
        trail.close()
        raise


async def accept_row(
    transform: RowTransform,
    output: AuditedOutputPort,
    state: AuditedState,
    row: Mapping[str, object],
) -> int:
    """Hand one recorded row to ``transform``, which emits to ``output``; its ticket."""
    with auditing(state):
        ticket = await transform.accept(row)
    # Nothing runs between the acceptance and here, so the result cannot come first.
    output.expect(ticket, state)
    return ticket


async def process_rows_through_transform(
    transform: RowTransform,
    recorder: AuditRecorder,
    run_id: str,
    node_id: str,
    rows: Iterable[Mapping[str, object]],
    output: AuditedOutputPort,
) -> Intake:
    """Send ``rows`` through an open ``transform`` that emits to ``output``; wait for the last.

    Called again with the same rows after a crash and ``recorder.recover()``, it goes on: rows
    with an outcome are left alone, others get a new try. Raises AuditError; then nothing more
    is sent.
    """
    known = recorder.known_rows(run_id)
    accepted = refused = 0
    for index, row in enumerate(rows):
        try:
            state = _begin(recorder, (run_id, node_id), known.get(index), index, row)
        except RowUnstorable:
            refused += 1  # It has its error and its outcome in the audit.
            continue
        if state is not None:
            await accept_row(transform, output, state, row)
            accepted += 1
    await transform.flush()
    done_before = sum(1 for row in known.values() if row.outcome is not None)
    return Intake(accepted=accepted, refused=refused, done_before=done_before)


def _begin(
    recorder: AuditRecorder,
    place: tuple[str, str],
    known: KnownRow | None,
    index: int,
    row: Mapping[str, object],
) -> AuditedState | None:
    """The state in which a row may set out; None if it has its outcome already."""
    run_id, node_id = place
    if known is None:
        return recorder.begin_row(run_id, node_id, index, row)
    if known.outcome is not None:
        return None
    return recorder.resume_row(known, node_id, index, row)
