"""What a machine can do to its world: script faults, break links, let time pass, heal.

A ``Chaos`` belongs to one machine. Its methods are what the ready-made chaos rules call, and
what a failing example prints, one step each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.stateful.tallies.example_tally import ExampleTally
from chaoscheck.stateful.tallies.fault_names import AnyFault, fault_names
from chaoscheck.stateful.tallies.run_tally import RunTally
from chaoscheck.world.operation import Operation
from chaoscheck.world.world import World

__all__ = ["LINK_FAULTS", "Chaos"]

# The ways in which the link to the server can misbehave, by the name of the chaos rule.
LINK_FAULTS = ("cut", "half_close", "refuse", "reset")
# Faults that no server injects.
_OTHER_FAULTS = frozenset((*LINK_FAULTS, "cancel"))


class Chaos:
    """Faults at hand in a world with one chaos server.

    ``injected`` and ``hits`` count fault kinds: asked for, and seen to have an effect.
    """

    def __init__(self, world: World, tally: ExampleTally | None = None) -> None:
        self.world = world
        self._tally = tally or ExampleTally(RunTally(()))
        self.server: ChaosServer | None = None
        self.host = ""
        self.broken = False  # whether the link is cut or refusing
        self._cancelled: list[Operation[Any]] = []
        self._healers: list[Callable[[], object]] = []
        world.provide = self._provide

    def _provide(self, plan: FaultPlan | None, host: str, port: int) -> ChaosServer:
        return self.serve(plan, host=host, port=port)

    def serve(
        self, plan: FaultPlan | None = None, *, host: str = "api.test", port: int = 80
    ) -> ChaosServer:
        """Start the chaos server in the world, reachable as ``http://host:port``.

        ``world.serve(plan)`` does the same. PlanError when the world serves one already.
        """
        if self.server is not None:
            raise PlanError(f"the world serves {self.host} already; one chaos server a world")
        server = ChaosServer(plan, choices=self.world.choices, trace=self.world.trace)
        self.world.serve(server, host=host, port=port)
        self.server, self.host = server, host
        return server

    def on_heal(self, healer: Callable[[], object]) -> None:
        """Also call ``healer`` when everything is healed."""
        self._healers.append(healer)

    # ------------------------------------------------------------------ faults

    def next_fault(self, fault: Fault) -> None:
        """The next request that no earlier one-shot fault claims meets ``fault``."""
        self._served().next_fault(fault)

    def set_rate(self, fault: Fault, rate: float) -> None:
        """Each request meets ``fault`` with probability ``rate`` in [0, 1] from now on.

        It takes the place of the fault that came by rate before, since rates sum to at most 1.
        """
        server = self._served()
        for earlier, _ in server.plan.rates:
            server.set_rate(earlier, 0)
        server.set_rate(fault, rate)

    def cut(self) -> None:
        """The link loses every packet until it is healed."""
        self.world.network.cut(self.host)
        self.broken = True

    def refuse(self) -> None:
        """New connections are refused until the link is healed."""
        self.world.network.refuse(self.host)
        self.broken = True

    def reset(self) -> None:
        """Every established connection is reset, now."""
        self.world.network.reset(self.host)

    def half_close(self) -> None:
        """The server's side of every established connection says it will send no more."""
        self.world.network.half_close(self.host)

    def set_latency(self, low_s: float, high_s: float) -> None:
        """A packet takes between ``low_s`` and ``high_s`` seconds from now on."""
        self.world.network.set_latency(self.host, low_s, high_s)

    # ------------------------------------------------------------------ operations

    def settle(self) -> None:
        """Everything that can happen at this instant happens."""
        self.world.settle()

    def join(self, operation: Operation[Any]) -> None:
        """Let time pass until ``operation`` has ended, or nothing is left that could end it.

        It does not call that a deadlock: another step may be what the operation waits for. A
        rule of your own that awaits ``operation.wait()`` does.
        """
        self.world.follow(operation)

    def cancel(self, operation: Operation[Any], checkpoint: int = 0) -> None:
        """Cancel ``operation`` when it stands at its ``checkpoint``-th checkpoint; 0 is now."""
        self.world.cancel(operation, checkpoint=checkpoint)
        self._cancelled.append(operation)

    # ------------------------------------------------------------------ time and healing

    def heal_link(self) -> None:
        """The link works again; what was lost on it is sent again, as TCP does."""
        self.world.network.heal(self.host)
        self.broken = False

    def let_time_pass(self, seconds: float) -> None:
        """``seconds`` of virtual time pass."""
        self.world.advance(seconds)

    def heal_everything(self) -> None:
        """No fault is left: plan, scripts, stalls and links. Time does not move."""
        if self.server is not None:
            self.server.heal()
        self.world.network.heal_all()
        self.broken = False
        for operation in self._cancelled:
            operation.spare()
        for healer in self._healers:
            healer()

    # ------------------------------------------------------------------ what laws say

    def judged(self, *faults: AnyFault) -> None:
        """Say in a law that it judged one case, and which faults the case had met.

        A law that skips nothing need not say so: it judges whatever happened before it ran. As
        soon as a law of the machine names faults here, a declared fault counts as judged only
        where one of its laws names it. PlanError for a name that is no fault's.
        """
        self._tally.judged(fault_names(faults, self._other_faults()))

    def skipped(self, reason: str, *faults: AnyFault) -> None:
        """Say in a law that it did not judge one case, and why: in few words, the same each time.

        With ``faults`` it judged the case but for what these did to it. A law that only ever
        skips, in a whole run, fails the run with NotExercised. PlanError for an empty reason,
        or a name that is no fault's.
        """
        if not reason:
            raise PlanError("chaos.skipped() needs the reason why a case is not judged, got ''")
        self._tally.skipped(reason, fault_names(faults, self._other_faults()))

    def _other_faults(self) -> frozenset[str]:
        return self._tally.declared | _OTHER_FAULTS

    # ------------------------------------------------------------------ counting

    def injected(self) -> Counter[str]:
        """How often each kind of fault was injected so far."""
        counts: Counter[str] = Counter(self.world.network.injected)
        if self._cancelled:
            counts["cancel"] = len(self._cancelled)
        if self.server is not None:
            counts.update(self.server.injected)
        return counts

    def hits(self) -> Counter[str]:
        """How often each kind of fault was seen to have an effect so far."""
        counts: Counter[str] = Counter(self.world.network.hits)
        counts["cancel"] += sum(each.state == "cancelled" for each in self._cancelled)
        if self.server is not None:
            counts.update(self.server.hits)
        return counts

    def _served(self) -> ChaosServer:
        if self.server is None:
            raise PlanError("no chaos server in this world yet: call chaos.serve() in setup()")
        return self.server
