"""CPU of judging whole histories, linearizable and not: medians over histories and rounds."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from chaoscheck.checks.linearizability import linearizable
from chaoscheck.checks.model import Model
from chaoscheck.checks.verdict import Finding
from chaoscheck.history.operations import History, OperationRecord
from metric import Metric

CLIENTS = 8
HISTORIES = 5
ROUNDS = 3

Register = tuple[int, object]  # which one, and what is written to it


def _step(held: object, name: str, argument: object) -> tuple[object, object]:
    assert isinstance(argument, tuple)
    return (argument[1], None) if name == "write" else (held, held)


ONE_KEY: Model[object] = Model.of(None, _step, name="register")
BY_KEY = replace(ONE_KEY, partition=lambda operation: operation.argument[0])  # type: ignore[index]


def linearizability_metrics() -> Iterator[Metric]:
    """Targets of the issue."""
    one_key = [_history(1000, keys=1, seed=seed) for seed in range(HISTORIES)]
    yield _metric("1000 operations, one key, linearizable", one_key, ONE_KEY, Finding.OK, 20)
    spoilt = [_spoilt(history) for history in one_key]
    yield _metric("1000 operations, one key, violated", spoilt, ONE_KEY, Finding.VIOLATED, 60)
    many = [_history(5000, keys=100, seed=seed) for seed in range(HISTORIES)]
    yield _metric("5000 operations, 100 keys, linearizable", many, BY_KEY, Finding.OK, 10)


def _metric(
    name: str,
    histories: Sequence[Sequence[OperationRecord]],
    model: Model[object],
    finding: Finding,
    target_ms: float,
) -> Metric:
    took_ms = []
    for history in [*histories] * ROUNDS:
        gc.collect()
        before = time.process_time()
        verdict = linearizable(history, model)
        took_ms.append((time.process_time() - before) * 1e3)
        assert verdict.finding is finding
    return Metric(
        name=name, value=statistics.median(took_ms), unit="ms", target=target_ms, at_least=False
    )


def _history(count: int, *, keys: int, seed: int) -> list[OperationRecord]:
    """Eight clients that always have an operation in flight; half of all are writes."""
    chance = random.Random(seed)
    history, held = History(), dict[int, object]()
    in_flight: dict[int, tuple[int, str, Register]] = {}
    answers: dict[int, object] = {}
    begun = 0
    while begun < count or in_flight:
        client = chance.randrange(CLIENTS)
        if client not in in_flight:
            if begun == count:
                continue
            begun += 1
            argument = (chance.randrange(keys), begun)
            name = chance.choice(("read", "write"))
            number = history.invoke(name, argument, client=f"client {client}")
            in_flight[client] = (number, name, argument)
        elif client not in answers:
            _, name, (key, value) = in_flight[client]
            answers[client] = None if name == "write" else held.get(key)
            held[key] = value if name == "write" else held.get(key)
        else:
            history.complete(in_flight.pop(client)[0], "ok", answers.pop(client))
    return list(history)


def _spoilt(history: Sequence[OperationRecord]) -> list[OperationRecord]:
    """One read, nine tenths into the history, answers what was never written."""
    reads = [operation for operation in history if operation.name == "read"]
    late = reads[len(reads) * 9 // 10]
    return [replace(each, result="nothing") if each is late else each for each in history]
