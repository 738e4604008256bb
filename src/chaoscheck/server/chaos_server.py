"""The chaos server: a chat-completions provider that misbehaves by plan.

It serves any trio listeners, real or virtual, and is steered by plain function calls from the
thread that runs it. What it did stands in its ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import trio

from chaoscheck.history.trace import Trace
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan, as_fault
from chaoscheck.server.accepting import PatientListener, Reserve
from chaoscheck.server.admin import Admin
from chaoscheck.server.books.ledger import Ledger
from chaoscheck.server.connection import Connection
from chaoscheck.server.cross_origin import CrossOrigin
from chaoscheck.server.decision import Decisions
from chaoscheck.server.intake import Intake
from chaoscheck.server.service import Service
from chaoscheck.server.settings import ServerSettings
from chaoscheck.server.targets import require_reachable
from chaoscheck.wire.request_codec import Bodies
from chaoscheck.world.choices import Choices

__all__ = ["ChaosServer"]

_RESERVE_SIZE = 4  # descriptors, for as many admin connections


class ChaosServer:
    """A provider on ``plan`` (default: silence).

    Chance comes from ``choices``, by default from the plan's seed; then the fate of a request
    depends on (seed, key, occurrence, attempt). ``trace`` is given every request, fault and answer.
    ``settings`` hold which APIs are served, bounds, and the token of the admin endpoints.
    """

    def __init__(
        self,
        plan: FaultPlan | None = None,
        *,
        choices: Choices | None = None,
        trace: Trace | None = None,
        settings: ServerSettings | None = None,
    ) -> None:
        settings = settings or ServerSettings()
        decisions = Decisions(plan or FaultPlan(), choices)
        ledger = Ledger(settings.ledger_limit, sink=settings.sink)
        self._service = Service(decisions, ledger, trace)
        if settings.providers is not None:
            self._service.only = frozenset(settings.providers)
        if settings.admin_token is not None:
            self._service.admin = Admin(self, settings.admin_token)
        self._service.source = settings.source
        require_reachable(decisions.plan, settings.providers, any_path=settings.source is not None)
        if settings.worker_thread:
            self._service.use_worker()
        cross_origin = CrossOrigin(settings.cors_origins)
        self._service.cors = cross_origin if settings.cors_origins else None
        self._service.intake = Intake(
            cross_origin,
            only=self._service.only,
            any_path=settings.source is not None,
        )
        self._reserve = Reserve()
        self._limits = settings.limits
        self._service.bodies = Bodies(settings.limits.bodies_bytes)

    async def serve(
        self,
        listeners: Sequence[trio.abc.Listener[trio.SocketStream]],
        *,
        task_status: trio.TaskStatus[list[trio.abc.Listener[trio.SocketStream]]] = (
            trio.TASK_STATUS_IGNORED
        ),
    ) -> None:
        """Serve until cancelled, then close the listeners. No client's misbehaviour ends it.

        The server's clock, by which bursts come, begins with the first call.
        """
        self._service.start(trio.current_time())
        patient: list[trio.abc.Listener[trio.SocketStream]] = [
            PatientListener(listener, self._reserve) for listener in listeners
        ]
        await trio.serve_listeners(self._connect, patient, task_status=task_status)

    async def serve_admin(self, listeners: Sequence[trio.SocketListener]) -> None:
        """Serve connections that no fault of a connection strikes, until cancelled.

        So the admin endpoints can be reached also while all others are refused, and, up to
        four connections at once, while the process has no descriptor left for them.
        """
        reserve = self._reserve
        reserve.size = _RESERVE_SIZE
        patient = [PatientListener(each, reserve, may_spend=True) for each in listeners]
        try:
            await trio.serve_listeners(self._connect_admin, patient)
        finally:
            reserve.close()

    async def _connect_admin(self, stream: trio.SocketStream) -> None:
        await Connection(stream, self._service, self._limits, spared=True).serve()

    async def _connect(self, stream: trio.SocketStream) -> None:
        await Connection(stream, self._service, self._limits).serve()

    @property
    def plan(self) -> FaultPlan:
        """The plan as it stands, with what ``set_rate``, ``script`` and ``heal`` made of it."""
        return self._service.decisions.plan

    @plan.setter
    def plan(self, plan: FaultPlan) -> None:
        """Go by another plan from now on; its bucket is full, queued one-shots stay."""
        self._service.adopt(plan)

    def next_fault(self, fault: Fault | str) -> None:
        """Let the next request that would be answered well meet ``fault``; more form a queue."""
        self._service.decisions.one_shots.append(as_fault(fault))

    def set_rate(self, fault: Fault | str, rate: float) -> None:
        """Let ``fault`` hit this share of the requests; 0 removes it.

        PlanError, and no change, for a rate outside [0, 1] or a sum of all rates above 1.
        """
        self._service.decisions.set_rate(fault, rate)

    def script(self, key: str, faults: Iterable[Fault | str | None]) -> None:
        """Let the n-th attempt of request ``key`` meet the n-th fault; None is no fault."""
        self._service.decisions.script(key, faults)

    def reset(self) -> None:
        """Forget what happened: ledger, counters, attempts and queued one-shots. The plan stays."""
        self._service.reset()

    def heal(self) -> None:
        """Rates, bursts and limits off, scripts and one-shots dropped, stalled answers go on."""
        self._service.heal()

    def take_faults_by_rate(self) -> list[Fault]:
        """The faults that rates and bursts chose since this was last asked, oldest first."""
        by_chance = self._service.decisions.by_chance
        taken = list(by_chance)
        by_chance.clear()
        return taken

    @property
    def ledger(self) -> Ledger:
        """Every finished exchange, malformed requests included, up to ``ledger_limit`` of them."""
        return self._service.ledger

    @property
    def started_at_s(self) -> float:
        """When it began to serve, in seconds since the Unix epoch; 0 before."""
        return self._service.started_epoch_s

    @property
    def uptime_s(self) -> float:
        """Seconds on the server's clock since it began to serve; 0 before."""
        return self._service.elapsed_s(trio.current_time()) if self.started_at_s else 0.0

    @property
    def in_flight(self) -> int:
        """How many requests were read and are not fully answered."""
        return self._service.in_flight

    @property
    def injected(self) -> Counter[str]:
        """Faults that were meant to happen, by name; finished exchanges only."""
        return self._service.ledger.injected

    @property
    def hits(self) -> Counter[str]:
        """Faults that were seen to have an effect, by name."""
        return self._service.ledger.hits
