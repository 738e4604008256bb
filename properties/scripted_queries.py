"""Queries that play a script, one act an attempt, and a stage that sees what was played.

A failing act answers a status and perhaps one header line; what that line means stands in a
table here and not in the code under test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import trio
from hypothesis import strategies as st

from chaoscheck.components.llm_reply import read_reply
from chaoscheck.components.query import AttemptOutcome, QueryResult
from models.llm_fates import status_fate

__all__ = ["ACTS", "SCRIPTS", "Act", "Batch", "Gate", "Query", "Stage"]

# What a line asks for, in seconds after the reply. A world opens at 2026-01-01T00:00:00Z.
ASKS_S: dict[str, float | None] = {
    "Retry-After: 2": 2.0,
    "Retry-After: 0.5": 0.5,
    "Retry-After: 10": 10.0,
    "Retry-After: 0": 0.0,
    "Retry-After: 120": 120.0,
    "Retry-After: 121": 121.0,
    "retry-after-ms: 1500": 1.5,
    "Retry-After: -3": None,
    "Retry-After: soon": None,
    "Retry-After: nan": None,
    "Retry-After: 1e1": None,
    "Retry-After: ": None,
}
# What a line asks for as an instant, in seconds after the world opened.
ASKS_UNTIL_S = {
    "Retry-After: Thu, 01 Jan 2026 00:00:07 GMT": 7.0,
    "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT": -1_767_225_600.0,
}
_DATE_RESOLUTION_S = 1e-5  # a datetime counts microseconds


@dataclass(frozen=True, slots=True)
class Act:
    """What one attempt does: after ``takes_s`` seconds it is answered with ``status``."""

    status: int = 200
    header: str = ""
    takes_s: float = 0.0

    def __repr__(self) -> str:
        name = "succeeds" if self.status == 200 else f"fails_{self.status}"
        arguments = [repr(self.header)] if self.header else []
        arguments += [f"takes_s={self.takes_s:g}"] if self.takes_s else []
        return f"{name}({', '.join(arguments)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What a story shows: the same, and not the call of the class that built it."""
        printer.text(repr(self))

    @property
    def outcome(self) -> AttemptOutcome:
        """What the attempt comes to, unless it is abandoned."""
        return status_fate(self.status)

    def asks_s(self, replied_s: float, understood_s: float | None) -> float | None:
        """How long it asks to wait after a reply at ``replied_s``.

        ``understood_s`` is what the subject read; it is taken only for a date, where it may
        differ by less than a datetime can hold.
        """
        if self.header not in ASKS_UNTIL_S:
            return ASKS_S.get(self.header)
        asked_s = ASKS_UNTIL_S[self.header] - replied_s
        if asked_s < 0:
            return None
        near = understood_s is not None and abs(understood_s - asked_s) <= _DATE_RESOLUTION_S
        return understood_s if near else asked_s

    def reply(self) -> None:
        """Raise what the component makes of the failing reply."""
        name, _, value = self.header.partition(": ")
        read_reply(status=self.status, headers={name: value} if name else {}, body=b"")


# One draw an act, the plainest first: a script of scripts is long enough as it is.
ACTS = st.sampled_from(
    [
        Act(status, header, takes_s)
        for takes_s in (0.0, 0.0, 1.0, 3.0, 30.0)
        for header in ("", *ASKS_S, *ASKS_UNTIL_S)
        for status in (200, 429, 500, 503, 429, 529, 400)
    ]
)
SCRIPTS = st.lists(st.lists(ACTS, max_size=3), min_size=1, max_size=3)


@dataclass(eq=False, slots=True, kw_only=True)
class Query:
    """One query of a batch, and what each of its attempts is to do."""

    name: str
    batch: Batch = field(repr=False)
    script: list[Act]

    def act(self, number: int) -> Act:
        """The act of attempt ``number``; beyond the end of its script all goes well."""
        return self.script[number - 1] if number <= len(self.script) else Act()

    def last_status(self, attempts: int) -> int | None:
        """What the last of so many attempts was answered; None without any."""
        return self.act(attempts).status if attempts else None


@dataclass(eq=False, slots=True)
class Gate:
    """Lets nobody through until ``together`` have come."""

    together: int
    came: int = 0
    opened: trio.Event = field(default_factory=trio.Event)

    async def wait(self) -> None:
        """Come to the gate, and go through once enough have come."""
        self.came += 1
        if self.came == self.together:
            self.opened.set()
        await self.opened.wait()


@dataclass(eq=False, slots=True, kw_only=True)
class Batch:
    """Queries submitted together. Times in seconds; ``outcome`` stays None if it is cancelled."""

    name: str
    queries: list[Query] = field(default_factory=list)
    gate: Gate | None = None
    started_s: float = 0.0
    ended_s: float | None = None
    outcome: list[QueryResult[str]] | None = None

    @property
    def done(self) -> bool:
        """Whether it has come to an end, in whatever way."""
        return self.ended_s is not None

    @property
    def results(self) -> list[QueryResult[str]]:
        """What became of its queries."""
        assert self.outcome is not None
        return self.outcome


Seen = tuple[Query, int, float, float, AttemptOutcome]


class Stage:
    """Where attempts are played and counted, without asking the pool anything."""

    def __init__(self) -> None:
        self.queries = 0
        self.most_running = 0
        self.seen: list[Seen] = []
        self._batches = 0
        self._under_way: dict[tuple[Query, int], float] = {}

    @property
    def running(self) -> int:
        """Attempts under way now."""
        return len(self._under_way)

    def batch(self, scripts: Sequence[list[Act]], gate: Gate | None = None) -> Batch:
        """A new batch with one query for each script."""
        batch = Batch(name=f"batch {self._batches}", gate=gate)
        self._batches += 1
        for script in scripts:
            name = f"query {self.queries}"
            batch.queries.append(Query(name=name, batch=batch, script=script))
            self.queries += 1
        return batch

    def gate(self, queries: int, together: int) -> Batch:
        """A batch whose attempts all wait until ``together`` of them are under way."""
        return self.batch([[] for _ in range(queries)], Gate(together))

    def running_of(self, batch: Batch) -> int:
        """Attempts of ``batch`` under way now."""
        return sum(query.batch is batch for query, _ in self._under_way)

    def under_way(self) -> list[tuple[Query, int, float]]:
        """The attempts under way: query, number, start in seconds."""
        return [(query, number, since_s) for (query, number), since_s in self._under_way.items()]

    async def play(self, query: Query, number: int) -> str:
        """One attempt, as the script says. Raise QueryError where it fails."""
        act = query.act(number)
        started_s = self._under_way[query, number] = trio.current_time()
        self.most_running = max(self.most_running, self.running)
        outcome: AttemptOutcome = "abandoned"
        try:
            if query.batch.gate is not None:
                await query.batch.gate.wait()
            await trio.sleep(act.takes_s)
            outcome = act.outcome
        finally:
            del self._under_way[query, number]
            self.seen.append((query, number, started_s, trio.current_time(), outcome))
        if outcome != "ok":
            act.reply()
        return f"{query.name}.{number}"
