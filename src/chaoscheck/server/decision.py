"""Which fault a request meets: decided purely, from the plan, its key and attempt, and the time.

Precedence: the one-shot queue, the script of its key, the limit, a burst, a rate. Only the last
two are a matter of chance, and they share one draw; so a request meets at most one fault. A
request that a one-shot fault or a script decides takes no token from the limit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan, Script, as_fault, as_script, check_rates
from chaoscheck.plan.limits import Limit, TokenLimit
from chaoscheck.plan.status_fault import RetryLaterFault
from chaoscheck.world.choices import Choices, SeededChoices

__all__ = ["Arrival", "Decisions"]

_BY_CHANCE_MAX = 1_000  # faults: far more than one step of a story meets
_EPSILON = 1e-9  # of a token: refilling in binary fractions falls short by as little


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request as far as its fate depends on it.

    ``at_s`` is in seconds since the server began to serve; ``in_flight`` counts the requests
    under way, without this one.
    """

    key: str
    attempt: int
    at_s: float
    in_flight: int


class Decisions:
    """A plan at work: what is left of its scripts, one-shots and tokens.

    Without ``choices`` chance is a function of the plan's seed.
    """

    def __init__(self, plan: FaultPlan, choices: Choices | None) -> None:
        self._given_choices = choices
        self.one_shots: deque[Fault] = deque()
        # What rates and bursts decided, newest last: a story names each as a step of its own.
        self.by_chance: deque[Fault] = deque(maxlen=_BY_CHANCE_MAX)
        self.adopt(plan)

    def adopt(self, plan: FaultPlan) -> None:
        """Go by ``plan`` from now on, with a full bucket; queued one-shots stay."""
        self._seed = plan.seed
        self._choices = self._given_choices or SeededChoices(plan.seed)
        self._rates = dict(plan.rates)
        self._bursts = plan.bursts
        self._scripts = dict(plan.scripts)
        self._limit: Limit | None = plan.limit
        self._tokens = float(plan.limit.burst) if isinstance(plan.limit, TokenLimit) else 0.0
        self._tokens_at_s = 0.0

    @property
    def plan(self) -> FaultPlan:
        """The plan as it stands, with all that was set since it was adopted."""
        scripts: tuple[Script, ...] = tuple(self._scripts.items())
        return FaultPlan(
            seed=self._seed,
            rates=tuple(self._rates.items()),
            bursts=self._bursts,
            scripts=scripts,
            limit=self._limit,
        )

    def set_rate(self, fault: Fault | str, rate: float) -> None:
        """Let ``fault`` hit this share of the requests; 0 removes it. PlanError changes nothing."""
        rates = self._rates | {as_fault(fault): rate}
        check_rates(rates.items())
        self._rates = {known: its_rate for known, its_rate in rates.items() if its_rate > 0}

    def script(self, key: str, faults: Iterable[Fault | str | None]) -> None:
        """Let the n-th attempt of ``key`` meet the n-th fault; replaces that key's script."""
        self._scripts[key] = as_script(key, faults)

    def heal(self) -> None:
        """Nothing goes wrong from now on."""
        self.one_shots.clear()
        self.adopt(FaultPlan(seed=self._seed))

    def decide(self, arrival: Arrival) -> Fault | None:
        """The fault of this request, or None. Takes from the one-shot queue and the tokens."""
        if self.one_shots:
            return self.one_shots.popleft()
        script = self._scripts.get(arrival.key)
        if script is not None and arrival.attempt <= len(script):
            return script[arrival.attempt - 1]
        if self._limit is not None:
            refused = self._refused(self._limit, arrival)
            if refused is not None:
                return refused
        if not self._rates and not self._bursts:
            return None
        return self._drawn(arrival)

    def _refused(self, limit: Limit, arrival: Arrival) -> Fault | None:
        if not isinstance(limit, TokenLimit):
            return limit.fault if arrival.in_flight >= limit.in_flight else None
        elapsed_s = max(0.0, arrival.at_s - self._tokens_at_s)
        self._tokens_at_s = max(self._tokens_at_s, arrival.at_s)
        self._tokens = min(limit.burst, self._tokens + elapsed_s * limit.rate_per_s)
        if self._tokens >= 1 - _EPSILON:
            self._tokens -= 1
            return None
        fault = limit.fault
        if limit.retry_after == "true_wait" and isinstance(fault, RetryLaterFault):
            return fault.asking_to_wait((1 - self._tokens) / limit.rate_per_s)
        return fault

    def _drawn(self, arrival: Arrival) -> Fault | None:
        # Bursts come first: each takes its rate of what the earlier ones left, and the plain
        # rates share the rest. So two overlapping bursts never sum above 1.
        faults: list[Fault] = []
        weights: list[float] = []
        left = 1.0
        for burst in self._bursts:
            if burst.covers(arrival.at_s):
                faults.append(burst.fault)
                weights.append(left * burst.rate)
                left -= weights[-1]
        for fault, rate in self._rates.items():
            faults.append(fault)
            weights.append(left * rate)
        if not any(weights):
            return None
        fate = self._choices.derive(arrival.key, arrival.attempt)
        drawn = fate.weigh("fault", weights)
        if not drawn:
            return None
        self.by_chance.append(faults[drawn - 1])
        return faults[drawn - 1]
