"""ChaosMachine: a Hypothesis state machine whose steps run in a world."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from hypothesis.errors import InvalidDefinition
from hypothesis.stateful import RULE_MARKER, Rule

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.program import Program
from chaoscheck.stateful.called_rules import note_calls_of
from chaoscheck.stateful.certain_mistakes import (
    refuse_async_laws,
    refuse_bundles_without_target,
    refuse_no_rules,
)
from chaoscheck.stateful.chaos_rules import chaos_rules
from chaoscheck.stateful.declarations import check_declarations
from chaoscheck.stateful.failures import Failures
from chaoscheck.stateful.in_flight import OPERATIONS, is_in_flight_rule, operation_rules
from chaoscheck.stateful.life_cycle import LifeCycle
from chaoscheck.stateful.rules import when_due
from chaoscheck.stateful.running import machine_test_case
from chaoscheck.stateful.schedule_modes import require_schedules
from chaoscheck.stateful.selection import RuleSelection, sorted_rules
from chaoscheck.stateful.steps import initialize_step, step
from chaoscheck.stateful.tallies.run_tally import RunTally
from chaoscheck.stateful.time_rules import READY_MADE, time_rules

# Theory of operation. Hypothesis runs its own loop: choose a rule, call it, check invariants. We
# change three things in it. Rules may be ``async``: they are pumped to their end, or, when they
# are declared ``in_flight``, started and left. The choice of rules is ours (``selection``).
# Invariants run at the right moments only (``law_checks``). The base classes are one concept
# each: what is on record (``step_recording``), which laws are due, and the life of an example
# (``life_cycle``); here stands what a machine declares, and which rules follow from it.

__all__ = ["ChaosMachine"]


class _TakenAway:
    """Stands where a base has a ready-made rule that the machine does not declare."""


_TAKEN_AWAY = _TakenAway()
setattr(_TAKEN_AWAY, READY_MADE, True)


class ChaosMachine(LifeCycle):
    """Base of chaos machines. Declare ``faults`` and ``links`` to get the chaos rules.

    Every declared fault must be seen to have an effect at least once in a whole run, and a law
    must judge what became of it, or the test fails with NotExercised: it would have tested less
    than it claims.
    """

    #: Kinds of server faults that the chaos rules draw from.
    faults: ClassVar[tuple[type[Fault], ...]] = ()
    #: Link faults that the chaos rules use: any of "cut", "half_close", "refuse", "reset".
    links: ClassVar[tuple[str, ...]] = ()
    #: Whether operations may be cancelled: then ``chaos.cancel`` is a declared fault, "cancel".
    cancels: ClassVar[bool] = False
    #: Exceptions of operations in flight that say that the operation had no effect.
    refusals: ClassVar[tuple[type[Exception], ...]] = ()
    #: Exceptions of operations in flight after which nobody knows whether it had its effect.
    doubts: ClassVar[tuple[type[Exception], ...]] = ()

    _rules_sorted: ClassVar[list[Rule]] = []
    #: Of the rules that are possible at a time, how many slots each has in the draw of one.
    _rule_slots: ClassVar[dict[tuple[int, ...], list[Rule]]] = {}
    #: Whether it has a rule in flight.
    _has_operations: ClassVar[bool] = False
    #: What regressions of this machine are kept under; set it before you rename the class.
    chaos_key: ClassVar[str] = ""
    #: A program that takes the place of a search: what ``--chaos-replay`` was given.
    _replayed: ClassVar[Program | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_declarations(cls)
        if cls.schedules:
            require_schedules(cls.schedules, f"{cls.__name__}.schedules")
        made = time_rules()
        if cls.faults or cls.links:
            made |= chaos_rules(cls.faults, cls.links)
        in_flight = any(is_in_flight_rule(getattr(cls, name, None)) for name in dir(cls))
        if cls.cancels and not in_flight:
            raise PlanError(f"{cls.__name__} cancels operations but has no rule(in_flight=True)")
        cls._has_operations = in_flight
        if in_flight:
            made |= operation_rules(cancels=cls.cancels)
        cls._put_ready_made(made)
        note_calls_of(cls)
        declared = [*(kind.name for kind in cls.faults), *cls.links]
        cls._tally = RunTally((*declared, *(["cancel"] if cls.cancels else [])))
        cls._failures = Failures()

    @classmethod
    def _put_ready_made(cls, made: dict[str, Callable[..., Any]]) -> None:
        """These rules are there, unless the machine has its own or wants none, and no others."""

        def is_ready_made(name: str) -> bool:
            found = inspect.getattr_static(cls, name, None)
            return getattr(found, READY_MADE, False) is True

        for name, rule in made.items():
            if not hasattr(cls, name) or is_ready_made(name):
                setattr(cls, name, rule)
        for name in cls._ready_made - made.keys():
            if is_ready_made(name):  # what a base declares and this machine does not
                setattr(cls, name, _TAKEN_AWAY)
        cls._ready_made = frozenset(filter(is_ready_made, made))
        # A rule of its own in the place of a chaos rule is chosen and sorted as that is, unless it
        # only bears the name of what every machine has.
        placed = () if made.keys() == time_rules().keys() else made
        cls._chaos_names = cls._ready_made | {
            name for name in placed if hasattr(inspect.getattr_static(cls, name), RULE_MARKER)
        }

    def __repr__(self) -> str:
        """Its class and its bundles: a failed assert shows them. What is in flight is ours."""
        bundles = getattr(self, "bundles", {})  # none yet while it is being made
        own = {name: held for name, held in bundles.items() if name != OPERATIONS.name}
        return f"{type(self).__name__}({own})"

    # ------------------------------------------------------------------ Hypothesis's hooks

    def make_selection(self) -> Any:
        """The strategy that draws (rule, arguments)."""
        return RuleSelection(self, type(self)._rules_sorted, type(self)._chaos_names)

    @classmethod
    def setup_state(cls) -> Any:
        """Rules and invariants of the class, with async rules made to pump the world."""
        if cls not in cls._setup_state_per_class:
            state = super().setup_state()
            try:
                refuse_no_rules(cls, state.rules)
                refuse_async_laws(state.invariants)
                refuse_bundles_without_target(state.rules, state.initializers)
            except (InvalidDefinition, PlanError):
                del cls._setup_state_per_class[cls]
                raise
            state.rules[:] = [step(rule) for rule in state.rules]
            state.initializers[:] = [initialize_step(rule) for rule in state.initializers]
            cls._rules_sorted = sorted_rules(state.rules, cls._chaos_names)
            cls._rule_slots = {}
            cls._tally.expect(
                rules={
                    each.function.__name__: each.function.__name__ in cls._chaos_names
                    for each in (*state.initializers, *cls._rules_sorted)
                },
                laws={each.function.__name__: when_due(each.function) for each in state.invariants},
            )
        return super().setup_state()

    @classmethod
    def _to_test_case(cls) -> Any:  # type: ignore[override]  # the cache is machine_test_case's
        return machine_test_case(cls)
