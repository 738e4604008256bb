"""What a machine can do to its world: script faults, break links, let time pass, heal.

A ``Chaos`` belongs to one machine. Its methods are what the ready-made chaos rules call, and
what a failing example prints, one step each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
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
    """Faults at hand in a world, with one chaos server or with servers of your own.

    ``injected`` and ``hits`` count fault kinds: asked for, and seen to have an effect. Link
    faults concern ``link_hosts``, else every host of this world that has listened so far.
    """

    def __init__(
        self, world: World, tally: ExampleTally | None = None, link_hosts: Sequence[str] = ()
    ) -> None:
        self.world = world
        self._tally = tally or ExampleTally(RunTally(()))
        self.server: ChaosServer | None = None
        self.host = ""
        self._link_hosts = tuple(link_hosts)
        self._broken: dict[str, None] = {}  # hosts whose link is cut or refusing, in order
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

    # ------------------------------------------------------------------ links

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts whose links can break: as declared, else those that have listened so far."""
        return self._link_hosts or self.world.network.served_hosts()

    @property
    def whole_hosts(self) -> tuple[str, ...]:
        """Those of ``hosts`` whose link is neither cut nor refusing."""
        return tuple(host for host in self.hosts if host not in self._broken)

    @property
    def broken_hosts(self) -> tuple[str, ...]:
        """The hosts whose link is cut or refusing, in the order in which they broke."""
        return tuple(self._broken)

    @property
    def broken(self) -> bool:
        """Whether some link is cut or refusing."""
        return bool(self._broken)

    def cut(self, *hosts: str) -> None:
        """The link to these hosts (none named: every host) loses each packet until healed.

        As all link faults: PlanError while there is no host, WorldError for an unknown one.
        """
        for host in self._meant(hosts):
            self.world.network.cut(host)
            self._broken[host] = None

    def refuse(self, *hosts: str) -> None:
        """New connections to these hosts (none named: every host) are refused until healed."""
        for host in self._meant(hosts):
            self.world.network.refuse(host)
            self._broken[host] = None

    def reset(self, *hosts: str) -> None:
        """Every established connection of these hosts (none named: every host) is reset, now."""
        for host in self._meant(hosts):
            self.world.network.reset(host)

    def half_close(self, *hosts: str) -> None:
        """The server's side of every such connection says that it will send no more."""
        for host in self._meant(hosts):
            self.world.network.half_close(host)

    def set_latency(self, low_s: float, high_s: float, *hosts: str) -> None:
        """A packet to or from these hosts takes ``low_s`` to ``high_s`` seconds from now on."""
        for host in self._meant(hosts):
            self.world.network.set_latency(host, low_s, high_s)

    def heal_link(self, *hosts: str) -> None:
        """These links (none named: every broken one) work again; TCP sends anew what was lost."""
        for host in hosts or self.broken_hosts or self.hosts:
            self.world.network.heal(host)
            self._broken.pop(host, None)

    def _meant(self, hosts: tuple[str, ...]) -> tuple[str, ...]:
        meant = hosts or self.hosts
        if not meant:
            raise PlanError(
                "no host listens in this world yet, so there is no link that could break: call "
                "chaos.serve() or world.serve(...) in setup(), or name the hosts in link_hosts"
            )
        return meant

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

    def cancel_after(self, operation: Operation[Any], slices: int) -> None:
        """Cancel ``operation`` after ``slices`` more slices of any tasks.

        A slice is what a task does between two checkpoints. So the cancel can fall between an
        item's hand-over and its receiver's next step, into a wake-up, a completion or a time-out.
        """
        self.world.cancel(operation, slices=slices)
        self._cancelled.append(operation)

    # ------------------------------------------------------------------ time and healing

    def let_time_pass(self, seconds: float) -> None:
        """``seconds`` of virtual time pass."""
        self.world.advance(seconds)

    def heal_everything(self) -> None:
        """No fault is left: plan, scripts, stalls and links. Time does not move."""
        if self.server is not None:
            self.server.heal()
        self.world.network.heal_all()
        self._broken.clear()
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
