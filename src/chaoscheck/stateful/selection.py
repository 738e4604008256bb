"""Which rule runs next: our own selection, in three draws or fewer.

Hypothesis's own selection costs more than everything trio does in a step. Ours draws one swarm
mask an example (which rules stay away from it), one index among the rules that are possible
now, and then the rule's arguments. Index 0 is the simplest rule: rules without targets first,
fewer arguments first, chaos rules last, so that examples shrink towards the user's own steps.
"""

from __future__ import annotations

from math import ceil
from typing import Any

from hypothesis.errors import InvalidDefinition
from hypothesis.stateful import Rule
from hypothesis.strategies import SearchStrategy

from chaoscheck.stateful.tallies.run_tally import PRECONDITION
from chaoscheck.stateful.time_rules import LET_TIME_PASS

__all__ = ["NotedStrategy", "RuleSelection", "sorted_rules"]

# Where no fault is declared, one step in five or fewer lets time pass: enough for a lease or a
# breaker to be met several times in 50 steps, and a machine without any keeps its own steps.
OTHERS_PER_RARE_MIN = 4


class NotedStrategy(SearchStrategy[Any]):
    """An argument of an initialize rule, which Hypothesis itself draws: its place is noted."""

    def __init__(self, rule: Rule, name: str, strategy: SearchStrategy[Any]) -> None:
        super().__init__()
        self._rule = rule
        self._name = name
        self._strategy = strategy

    def __repr__(self) -> str:
        return repr(self._strategy)

    def do_draw(self, data: Any) -> Any:
        """The argument."""
        start, machine = len(data.nodes), data.hypothesis_runner
        try:
            value = data.draw(self._strategy)
        except Exception as error:
            machine._argument_failed(self._rule, self._name, (start, len(data.nodes)), error)
            raise
        machine._argument_drawn(self._name, value, (start, len(data.nodes)))
        return value


def sorted_rules(rules: list[Rule], chaos_names: frozenset[str]) -> list[Rule]:
    """Rules from the simplest to the oddest; the order decides what examples shrink to."""
    return sorted(
        rules,
        key=lambda rule: (
            rule.function.__name__ in chaos_names,
            sorted(rule.targets),
            len(rule.arguments),
            rule.function.__name__,
        ),
    )


class RuleSelection(SearchStrategy[Any]):
    """Draws (rule, arguments) for one machine; stands in for Hypothesis's RuleStrategy."""

    def __init__(self, machine: Any, rules: list[Rule], chaos_names: frozenset[str]) -> None:
        super().__init__()
        self._machine = machine
        self._rules = rules
        self._chaos_names = chaos_names
        self._enabled: list[Rule] | None = None
        self._noted: dict[str, str] = {}  # what last kept each rule from running
        #: What ``_weighted`` made, by the rules that were possible: the same in all examples.
        self._slots: dict[tuple[int, ...], list[Rule]] = type(machine)._rule_slots
        declares = type(machine).faults or type(machine).links
        #: A rule beside which all others together are several times as likely.
        self._rare = "" if declares else LET_TIME_PASS

    def __repr__(self) -> str:
        return f"RuleSelection({type(self._machine).__name__})"

    def do_draw(self, data: Any) -> tuple[Rule, dict[str, Any]]:
        """One rule that is possible now, and its arguments."""
        rule = self.chosen(data)
        return rule, self._arguments(rule, data)

    def chosen(self, data: Any) -> Rule:
        """One rule that is possible now."""
        if self._enabled is None:
            self._enabled = self._swarm(data)
        possible = self._possible(self._enabled) or self._possible(self._rules)
        if not possible:
            names = ", ".join(rule.function.__name__ for rule in self._rules)
            raise InvalidDefinition(
                f"{type(self._machine).__name__} is stuck: none of its rules is possible "
                f"(each has a false precondition or an empty bundle): {names}"
            )
        return self._one_of(possible, data)

    def _arguments(self, rule: Rule, data: Any) -> dict[str, Any]:
        """Draw the arguments, and tell the machine where in the choices each of them stands."""
        arguments: dict[str, Any] = {}
        spans: dict[str, tuple[int, int]] = {}
        for name, strategy in rule.arguments_strategies.items():
            start = len(data.nodes)
            try:
                arguments[name] = data.draw(strategy)
            except Exception as error:
                self._machine._arguments_drawn(arguments, spans)
                self._machine._argument_failed(rule, name, (start, len(data.nodes)), error)
                raise
            spans[name] = (start, len(data.nodes))
        self._machine._arguments_drawn(arguments, spans)
        return arguments

    def _one_of(self, possible: list[Rule], data: Any) -> Rule:
        """One draw, of as many slots as each rule deserves."""
        which = tuple(map(id, possible))
        slots = self._slots.get(which)
        if slots is None:
            slots = self._slots[which] = self._weighted(possible)
        last = len(slots) - 1
        return slots[data.draw_integer(0, last) if last else 0]

    def _weighted(self, possible: list[Rule]) -> list[Rule]:
        """The user's own rules together have at least as many slots as the chaos rules."""
        own = sum(rule.function.__name__ not in self._chaos_names for rule in possible)
        rare = [rule for rule in possible[own:] if rule.function.__name__ == self._rare]
        chaos = [rule for rule in possible[own:] if rule not in rare] if rare else possible[own:]
        times = max(round(len(chaos) / own), 1) if own else 1
        if rare and (others := own * times + len(chaos)):
            scale = ceil(OTHERS_PER_RARE_MIN / others)
            times, chaos = times * scale, chaos * scale
        if times > 1 or rare:
            return possible[:own] * times + chaos + rare
        return possible

    def _swarm(self, data: Any) -> list[Rule]:
        """The rules of this example: each is left out with probability 1/4, none at value 0."""
        count = len(self._rules)
        if count == 1:
            return self._rules
        bits = data.draw_integer(0, 4**count - 1)
        absent = bits & (bits >> count)
        own = sum(rule.function.__name__ not in self._chaos_names for rule in self._rules)
        if not ~absent & ((1 << own) - 1):
            absent = absent >> own << own  # without any rule of its own the example shows nothing
        return [rule for index, rule in enumerate(self._rules) if not absent >> index & 1]

    def _possible(self, rules: list[Rule]) -> list[Rule]:
        # Most rules need nothing: no call for them, since every step asks all of them.
        return [
            rule
            for rule in rules
            if not (rule.preconditions or rule.bundles) or self._is_possible(rule)
        ]

    def _is_possible(self, rule: Rule) -> bool:
        machine = self._machine
        for bundle in rule.bundles:
            if not machine.bundles.get(bundle.name):
                self._note_impossible(rule, f"its bundle {bundle.name!r} was empty")
                return False
        for condition in rule.preconditions:
            if not condition(machine):
                self._note_impossible(rule, PRECONDITION)
                return False
        return True

    def _note_impossible(self, rule: Rule, why: str) -> None:
        name = rule.function.__name__
        if self._noted.get(name) == why:
            return  # It is the same at almost every step.
        self._noted[name] = why
        counts = self._machine._tally.rule(name)
        if not counts.runs:
            counts.why_never = why
