"""A machine that is built and stepped by hand, as a printed story is when it is pasted."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import trio
from hypothesis.stateful import MultipleResults, Rule

from chaoscheck.errors import WorldError

# Theory of operation. Outside Hypothesis nothing calls a machine's rules but its author, so in
# such a machine each rule, and each call of ``state.chaos``, is a step: it is numbered, an async
# one is pumped or left in flight, and laws are checked after it. Code of the machine itself
# calls rules as the plain methods that they are. Chance answers nothing odd, tasks run first
# come, first served. A step that fails ends the example: its world is closed, since no code would
# come to ``state.teardown()`` any more.

__all__ = ["require_none_by_hand", "step_by_hand"]

_CHAOS_STEPS = (
    "cancel",
    "cancel_after",
    "cut",
    "half_close",
    "heal_everything",
    "heal_link",
    "join",
    "let_time_pass",
    "next_fault",
    "refuse",
    "reset",
    "set_latency",
    "set_rate",
    "settle",
)


def step_by_hand(machine: Any) -> None:
    """Let calls of the machine's rules, and of its chaos, be steps."""
    by_hand = _ByHand(machine)
    _here.machine = machine
    for rule in (*machine._initialize_rules_to_run, *machine.rules):
        setattr(machine, rule.function.__name__, partial(by_hand.take, rule))
    for name in _CHAOS_STEPS:
        act = getattr(machine.chaos, name)
        setattr(machine.chaos, name, partial(by_hand.act, act))
    machine.teardown = partial(by_hand.end, machine.teardown)


class _Here(threading.local):
    machine: Any = None


_here = _Here()


def require_none_by_hand() -> None:
    """WorldError when a machine of this thread was built by hand and never torn down.

    It is closed, so that only one test suffers for it.
    """
    forgotten, _here.machine = _here.machine, None
    if forgotten is not None and forgotten._world_is_open:
        error = WorldError(
            f"a {type(forgotten).__name__} was built by hand and is still open: call "
            f"state.teardown() when you are done with it"
        )
        forgotten._abandon(error)
        raise error


class _ByHand:
    def __init__(self, machine: Any) -> None:
        self._machine = machine
        self._under_way = False

    def take(self, rule: Rule, *args: Any, **kwargs: Any) -> Any:
        """A rule as a step; its values as a tuple where they are several."""
        __tracebackhide__ = True
        machine = self._machine
        if self._is_its_own_call():
            method = getattr(type(machine), rule.function.__name__)
            return method(machine, *args, **kwargs)
        bound = inspect.signature(rule.function).bind(machine, *args, **kwargs).arguments
        arguments = dict(list(bound.items())[1:])  # all but the machine itself
        with self._step():
            if rule in machine._initialize_rules_to_run:
                machine._initialize_rules_to_run.remove(rule)
            result = rule.function(machine, **arguments)
            several = isinstance(result, MultipleResults)
            values = tuple(result.values) if several else (result,)
            if rule.targets:
                machine._add_results_to_targets(rule.targets, values)
        return values if several else result

    def act(self, act: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What is done to the world, as a step."""
        __tracebackhide__ = True
        if self._is_its_own_call():
            return act(*args, **kwargs)
        with self._step():
            self._machine._take_step_number(self._machine._step_number + 1)
            return act(*args, **kwargs)

    def end(self, teardown: Callable[[], None]) -> None:
        """Everything is checked and the world closes; nothing happens the second time."""
        __tracebackhide__ = True
        self._under_way = True
        teardown()

    def _is_its_own_call(self) -> bool:
        """Whether code of the machine is calling, and not its author; WorldError once it ended."""
        machine = self._machine
        if not machine._world_is_open:
            raise WorldError(
                f"this {type(machine).__name__} has ended: it was torn down, or a step failed; "
                f"make a new one"
            )
        return self._under_way or trio.lowlevel.in_trio_task()

    @contextmanager
    def _step(self) -> Iterator[None]:
        __tracebackhide__ = True
        machine = self._machine
        self._under_way = True
        try:
            yield
            machine.check_invariants(None, lambda text: None, {})
        except BaseException as error:
            machine._end_after(error)
            raise
        self._under_way = False
