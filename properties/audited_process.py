"""A process that sends rows through an audited transform, and may die at any write of its audit.

Several lives of it may follow one another in one world: each opens what the one before left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from chaoscheck.checks.reconcile import When, reconcile
from chaoscheck.checks.verdict import Verdict
from chaoscheck.components.audit_errors import AuditClosed
from chaoscheck.components.audit_recorder import AuditRecorder
from chaoscheck.components.audit_trail import AuditSettings, AuditTrail
from chaoscheck.components.audited_calls import AuditedHandling, judging
from chaoscheck.components.audited_run import (
    AuditedOutputPort,
    Intake,
    process_rows_through_transform,
)
from chaoscheck.components.audited_transport import AuditedTransport
from chaoscheck.components.openrouter_transform import OpenRouterLLMTransform, OpenRouterSettings
from chaoscheck.components.output_port import CollectingOutputPort
from chaoscheck.components.pooled_executor import PooledExecutor
from chaoscheck.components.query import AttemptEvent
from chaoscheck.components.retry import Retry
from chaoscheck.history.audit import AuditHistory, audit_history
from chaoscheck.server.books.ledger import Ledger
from chaoscheck.wire.fast_transport import FastTransport
from properties.sqlite_crash import Crashed

__all__ = ["SETTINGS", "UNSYNCED", "AuditedProcess", "Parts", "judge"]

SETTINGS = OpenRouterSettings(
    model="test/model", base_url="http://api.test/v1", max_pending=6, request_timeout_s=8.0
)

# A killed process loses nothing that it wrote, whether or not the disk was waited for.
UNSYNCED = AuditSettings(synchronous="OFF")

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What an audited process is built of; a broken twin replaces one."""

    trail: type[AuditTrail] = AuditTrail
    recorder: type[AuditRecorder] = AuditRecorder
    transport: type[AuditedHandling] = AuditedTransport
    port: type[AuditedOutputPort] = AuditedOutputPort
    judging: Callable[[AuditRecorder], Callable[[AttemptEvent], None]] = judging


@dataclass(kw_only=True)
class AuditedProcess:
    """One life. ``path`` is its database; it is created, or opened and recovered if it is there."""

    path: Path
    settings: AuditSettings = UNSYNCED
    parts: Parts = field(default_factory=Parts)
    collected: CollectingOutputPort = field(default_factory=CollectingOutputPort)
    attempts: list[AttemptEvent] = field(default_factory=list)
    intake: Intake | None = None
    crash: Crashed | None = None

    def start(self) -> None:
        """Open the audit, go on with its run or begin one, build the transform."""
        parts = self.parts
        self.trail = self._opened()
        self.recorder = parts.recorder(self.trail)
        self.recorder.recover()
        runs = self.trail.export()["runs"]
        self.run_id, self.node_id = (
            (str(runs[0]["run_id"]), str(runs[0]["node_id"]))
            if runs
            else self.recorder.begin_run("openrouter")
        )
        self.output = parts.port(self.recorder, self.collected)
        inner = FastTransport(limits=httpx.Limits(max_connections=2))
        transport = parts.transport(inner, self.recorder)
        assert isinstance(transport, httpx.AsyncBaseTransport)
        self.client = httpx.AsyncClient(transport=transport)
        judge_attempt = parts.judging(self.recorder)

        def on_attempt(event: AttemptEvent) -> None:
            self.attempts.append(event)
            judge_attempt(event)

        self.transform = OpenRouterLLMTransform(
            self.client,
            output=self.output,
            settings=SETTINGS,
            executor=PooledExecutor(3, 20.0, retry=Retry(3, 0.5, 4.0), on_attempt=on_attempt),
        )

    def _opened(self) -> AuditTrail:
        make = self.parts.trail.open if self.path.exists() else self.parts.trail.create
        return make(self.path, settings=self.settings)

    async def live(self, rows: Sequence[Row]) -> None:
        """Send ``rows`` through to the end, or die on the way; ``crash`` says which."""
        try:
            self.start()
            async with self.client, self.transform as transform:
                self.intake = await process_rows_through_transform(
                    transform, self.recorder, self.run_id, self.node_id, rows, self.output
                )
        except* Crashed as crashes:
            self.crash = _first(crashes)
        except* AuditClosed:
            # What else ran in the instant of the crash found the audit fenced off, and is gone.
            if self.crash is None:
                raise

    def close(self) -> None:
        """Close the database, whatever became of this life."""
        trail = getattr(self, "trail", None)
        if trail is not None:
            trail.close()

    def read(self) -> AuditHistory:
        """What the audit holds now."""
        return audit_history(self.trail.export())


def judge(
    audit: AuditHistory, ledger: Ledger, *, when: When = "at_rest", rows_in: int | None = None
) -> Verdict:
    """The three-way reconcile against a server's ledger."""
    return reconcile(audit, ledger, when=when, rows_in=rows_in, ledger_total=ledger.total)


def _first(group: BaseExceptionGroup[Crashed]) -> Crashed:
    for error in group.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("an exception group is never empty")
