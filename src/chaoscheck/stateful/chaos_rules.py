"""The ready-made chaos rules of a machine, made from the faults that it declares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RULE_MARKER, Rule, precondition, rule

from chaoscheck.plan.catalogue import FAULTS
from chaoscheck.plan.fault import Fault
from chaoscheck.stateful.time_rules import ready_made
from chaoscheck.strategies.faults import faults as fault_values

__all__ = ["NEXT_FAULT", "chaos_rules", "one_fault_rule"]

Rules = dict[str, Callable[..., Any]]

# Rates worth trying, from harmless to total.
_RATES = (0.0, 0.1, 0.25, 0.5, 1.0)

NEXT_FAULT = "next_fault"


def chaos_rules(kinds: Sequence[type[Fault]], links: Sequence[str]) -> Rules:
    """Rules by name for the declared fault types and link faults, healing included."""
    made: Rules = {"heal_everything": _heal_everything()}
    if kinds:
        made |= _server_rules(kinds)
    made |= {name: _link_rule(name) for name in links}
    if {"cut", "refuse"} & set(links):
        made["heal_link"] = _heal_link()
    return ready_made(made)


@lru_cache
def one_fault_rule() -> Rule:
    """``chaos.next_fault``, for programs on machines that have no such rule."""
    made: Rule = getattr(_server_rules(FAULTS)[NEXT_FAULT], RULE_MARKER)
    return made


def _server_rules(kinds: Sequence[type[Fault]]) -> Rules:
    values = fault_values(tuple(kinds))

    @rule(fault=values)
    def next_fault(self: Any, fault: Fault) -> None:
        self.chaos.next_fault(fault)

    @rule(fault=values, rate=st.sampled_from(_RATES))
    def set_rate(self: Any, fault: Fault, rate: float) -> None:
        self.chaos.set_rate(fault, rate)

    return {"next_fault": next_fault, "set_rate": set_rate}


# A link fault takes no argument: where there is one host, as there mostly is, nothing is drawn and
# nothing is printed. Among several the world's choices pick, and the step's line names the host.


def _link_rule(name: str) -> Callable[..., Any]:
    breaks = name in ("cut", "refuse")  # until it is healed; the others happen once

    def break_link(self: Any) -> None:
        hosts = self.chaos.whole_hosts if breaks else self.chaos.hosts
        getattr(self.chaos, name)(*_one_of(self, hosts))

    break_link.__name__ = break_link.__qualname__ = name
    ruled = rule()(break_link)
    if breaks:
        return precondition(lambda self: bool(self.chaos.whole_hosts))(ruled)
    return precondition(lambda self: bool(self.chaos.hosts))(ruled)


def _one_of(machine: Any, hosts: Sequence[str]) -> tuple[str, ...]:
    """The host that a link rule means, noted for the step's line; () where there is only one."""
    if len(machine.chaos.hosts) < 2:
        return ()
    host = hosts[machine.world.choices.pick("link host", len(hosts))]
    machine._aim_at(host)
    return (host,)


def _heal_link() -> Callable[..., Any]:
    @precondition(lambda self: self.chaos.broken)
    @rule()
    def heal_link(self: Any) -> None:
        self.chaos.heal_link(*_one_of(self, self.chaos.broken_hosts))

    return heal_link


def _heal_everything() -> Callable[..., Any]:
    @rule()
    def heal_everything(self: Any) -> None:
        self.chaos.heal_everything()

    return heal_everything
