"""Steps per CPU second of a chaos machine against a plain Hypothesis machine, and set-up."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.rules import rule
from chaoscheck.world.virtual import VirtualWorld
from metric import Metric

RULES = 8
EXAMPLES = 60
STEPS = 50
ROUNDS = 9
SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

_steps = 0


def _machine(base: Any, *, asynchronous: bool) -> Any:
    """The same eight no-op rules with 0, 1 or 2 integer arguments, on ``base``."""
    rules: dict[str, Any] = {}
    for number in range(RULES):
        arguments: Any = {f"a{index}": st.integers(0, 100) for index in range(number % 3)}
        function = _async_rule() if asynchronous else _sync_rule()
        function.__name__ = function.__qualname__ = f"rule_{number}"
        rules[f"rule_{number}"] = rule(**arguments)(function)
    return type(base)(f"{base.__name__}{'Async' if asynchronous else 'Sync'}", (base,), rules)


def _sync_rule() -> Any:
    def count(self: Any, **_: int) -> None:
        global _steps
        _steps += 1

    return count


def _async_rule() -> Any:
    async def count(self: Any, **_: int) -> None:
        global _steps
        _steps += 1

    return count


def _steps_per_second(machine: Any, number: int) -> float:
    global _steps
    _steps = 0
    gc.collect()
    before = time.process_time()
    run_state_machine_as_test(seed(number)(machine), settings=SETTINGS)
    return _steps / (time.process_time() - before)


def _ratio(machine: Any, plain: Any) -> float:
    """The median over rounds, each round with one seed for both, back to back."""
    ratios = [
        _steps_per_second(machine, number) / _steps_per_second(plain, number)
        for number in range(ROUNDS)
    ]
    return statistics.median(ratios)


def _setup_ms() -> float:
    """CPU of opening and closing one virtual world, in milliseconds: best of five batches."""
    batches = []
    for _ in range(5):
        gc.collect()
        before = time.process_time()
        for _ in range(200):
            with VirtualWorld():
                pass
        batches.append((time.process_time() - before) / 200 * 1e3)
    return min(batches)


def ratio_metrics() -> Iterator[Metric]:
    """Steps per CPU second, against a plain machine of the same rules."""
    plain = _machine(RuleBasedStateMachine, asynchronous=False)
    for asynchronous, target in ((False, 1.2), (True, 0.95)):
        yield Metric(
            name=f"chaos machine, {'async' if asynchronous else 'sync'} no-op rules / plain",
            value=_ratio(_machine(ChaosMachine, asynchronous=asynchronous), plain),
            unit="x",
            target=target,
            at_least=True,
        )


def setup_metrics() -> Iterator[Metric]:
    """What an example costs before its first step."""
    yield Metric(
        name="example set-up (a virtual world)",
        value=_setup_ms(),
        unit="ms",
        target=0.35,
        at_least=False,
    )
