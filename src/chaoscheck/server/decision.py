"""Which fault a request meets: decided purely, from the plan, its key and place, and the time.

Precedence: the one-shot queue, the script of its key, an outage, the limits, and then one draw
that bursts, ramps and rates share; so a request meets at most one fault. Limits are asked in
order, each charges what it lets pass, and none is asked after one refused; a request that
something earlier decides is charged nowhere.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import deque
from collections.abc import Iterable
from typing import Literal, NamedTuple

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.burst import Burst
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.api_errors import RETRYABLE_STATUSES
from chaoscheck.plan.fault_kinds.retry_after_fault import RetryAfterFault
from chaoscheck.plan.fault_kinds.status_fault import StatusFault
from chaoscheck.plan.fault_plan import FaultPlan, as_fault, as_script, check_rates
from chaoscheck.plan.limits import Quota, TokenQuota
from chaoscheck.plan.outage import Outage
from chaoscheck.plan.ramp import Ramp
from chaoscheck.server.identity import Arrival
from chaoscheck.server.limit_state import Standing, Standings, state_of
from chaoscheck.world.choices import Choices, SeededChoices

__all__ = ["Arrival", "Decisions"]

_BY_CHANCE_MAX = 1_000  # faults: far more than one step of a story meets

Struck = Literal["request", "connection"]


class _Odds(NamedTuple):
    """What may strike requests, or connections.

    ``windows`` take their share of what is left, one after the other; ``rates`` share the rest.
    A rate is (fault, rate, whether it can strike any answer).
    """

    outages: tuple[Outage, ...]
    windows: tuple[Burst | Ramp, ...]
    faults: tuple[Fault, ...]
    rates: tuple[float, ...]


class Decisions:
    """A plan at work: what is left of its scripts, one-shots, tokens and quotas.

    Without ``choices`` chance is a function of the plan's seed.
    """

    def __init__(self, plan: FaultPlan, choices: Choices | None) -> None:
        self._given_choices = choices
        self.one_shots: deque[Fault] = deque()
        # What bursts, ramps and rates decided, newest last: a story names each as its own step.
        self.by_chance: deque[Fault] = deque(maxlen=_BY_CHANCE_MAX)
        self.adopt(plan)

    def adopt(self, plan: FaultPlan) -> None:
        """Go by ``plan`` from now on, with fresh limits; queued one-shots stay."""
        self._plan = plan
        self._choices = self._given_choices or SeededChoices(plan.seed)
        self._scripts = dict(plan.scripts)
        self._limits = [state_of(limit) for limit in plan.limits]
        self._headers = _header_odds(plan)
        self.needs_caller = any(
            isinstance(limit, Quota | TokenQuota) and limit.per.startswith("api_key")
            for limit in plan.limits
        )
        self.counts_tokens = any(isinstance(limit, TokenQuota) for limit in plan.limits)
        self._weigh_up()

    def _weigh_up(self) -> None:
        # What does not change from request to request is looked at here, once.
        plan = self._plan
        self._request_odds = _odds_of(plan, "request")
        self._connection_odds = _odds_of(plan, "connection")
        self._by_key = bool(self._scripts or plan.first)
        self._silent = not (self._by_key or self._limits or self._request_odds)

    @property
    def plan(self) -> FaultPlan:
        """The plan as it stands, with all that was set since it was adopted."""
        return dataclasses.replace(self._plan, scripts=tuple(self._scripts.items()))

    def set_rate(self, fault: Fault | str, rate: float) -> None:
        """Let ``fault`` hit this share of the requests; 0 removes it. PlanError changes nothing."""
        rates = dict(self._plan.rates) | {as_fault(fault): rate}
        check_rates(rates.items())
        left = tuple((known, its_rate) for known, its_rate in rates.items() if its_rate > 0)
        self._plan = dataclasses.replace(self._plan, rates=left)
        self._weigh_up()

    def script(self, key: str, faults: Iterable[Fault | str | None]) -> None:
        """Let the n-th attempt of ``key`` meet the n-th fault; replaces that key's script."""
        self._scripts[key] = as_script(key, faults)
        self._weigh_up()

    def heal(self) -> None:
        """Nothing goes wrong from now on; what good answers say stays."""
        self.one_shots.clear()
        self.adopt(FaultPlan(seed=self._plan.seed, replies=self._plan.replies))

    @property
    def idle(self) -> bool:
        """Whether nothing can happen to a request, whoever it is, and nothing counts it."""
        return self._silent and not self.one_shots

    def goes_on(self, key: str, attempt: int) -> bool:
        """Whether the script of ``key`` says what comes after this attempt, good as it may be."""
        return self._by_key and attempt < len(self._scripts.get(key, self._plan.first))

    def decide(self, arrival: Arrival, answer: Answer) -> Fault | None:
        """The fault of the request that ``answer`` is meant for, or None.

        Takes from the one-shot queue and charges the limits. What would not change this answer is
        passed over, and stays in the queue; only a script means what it says.
        """
        if self.one_shots:
            fault = self._one_shot(answer)
            if fault is not None:
                return fault
        if self._silent:
            return None
        decided, fault = self._certain(arrival, answer)
        if not decided:
            keys = (arrival.key, arrival.occurrence, arrival.attempt)
            fault = self._drawn(self._request_odds, arrival.at_s, answer, keys)
        if fault is None:
            return None
        if self._headers and isinstance(fault, StatusFault):
            fault = self._headed(arrival, fault)
        if not decided:
            self.by_chance.append(fault)
        return fault

    def decide_connection(self, number: int, at_s: float) -> Fault | None:
        """The fault of the ``number``-th connection, counted from 1, or None.

        A connection has no key: its fate is a function of the seed and its number.
        """
        for at, fault in enumerate(self.one_shots):
            if fault.strikes == "connection":
                del self.one_shots[at]
                return fault
        odds = self._connection_odds
        if odds is None:
            return None
        for outage in odds.outages:
            if outage.covers(at_s):
                return outage.fault
        drawn = self._drawn(odds, at_s, None, ("connection", number))
        if drawn is not None:
            self.by_chance.append(drawn)
        return drawn

    def standings(self, arrival: Arrival) -> Standings | None:
        """How the sender of this request stands with the tightest limit of each kind.

        Ask it once the request's fate is decided. None where no limit keeps a count.
        """
        if not self._limits:
            return None
        tightest: dict[str, Standing] = {}
        for limit in self._limits:
            standing = limit.standing(arrival)
            if standing is None:
                continue
            known = tightest.get(limit.counts)
            if known is None or standing.remaining < known.remaining:
                tightest[limit.counts] = standing
        return Standings(**tightest) if tightest else None

    def _one_shot(self, answer: Answer) -> Fault | None:
        for at, fault in enumerate(self.one_shots):
            if fault.strikes == "request" and fault.applies_to(answer):
                del self.one_shots[at]
                return fault
        return None

    def _certain(self, arrival: Arrival, answer: Answer) -> tuple[bool, Fault | None]:
        """Whether the fate is beyond chance, and then the fault, if any."""
        if self._by_key:
            script = self._scripts.get(arrival.key, self._plan.first)
            if arrival.attempt <= len(script):
                return True, script[arrival.attempt - 1]
        odds = self._request_odds
        if odds is not None:
            for outage in odds.outages:
                if outage.covers(arrival.at_s) and outage.fault.applies_to(answer):
                    return True, outage.fault_at(arrival.at_s)
        for limit in self._limits:
            if limit.fault.applies_to(answer):
                refused = limit.refuses(arrival)
                if refused is not None:
                    return True, refused
        return odds is None, None

    def _headed(self, arrival: Arrival, fault: StatusFault) -> Fault:
        if fault.status not in RETRYABLE_STATUSES:
            return fault
        keys = (arrival.key, arrival.occurrence, arrival.attempt, "header fault")
        drawn = self._choices.weigh_for(keys, "header fault", self._headers)
        return _at_status(self._plan.headers[drawn - 1][0], fault.status) if drawn else fault

    def _drawn(
        self, odds: _Odds | None, at_s: float, answer: Answer | None, keys: tuple[object, ...]
    ) -> Fault | None:
        if odds is None:
            return None
        # What is drawn and would not change this answer is passed over: that costs less than to
        # ask every fault first, and comes to the same odds.
        faults, weights = (
            _weights(odds, at_s, answer) if odds.windows else (odds.faults, odds.rates)
        )
        drawn = self._choices.weigh_for(keys, "fault", weights)
        if not drawn:
            return None
        fault = faults[drawn - 1]
        return fault if answer is None or fault.applies_to(answer) else None


def _header_odds(plan: FaultPlan) -> tuple[float, ...]:
    # The first that strikes is it: each takes its rate of what the earlier ones left.
    weights: list[float] = []
    left = 1.0
    for _, rate in plan.headers:
        weights.append(left * rate)
        left -= left * rate
    return tuple(weights)


@functools.lru_cache(maxsize=256)
def _at_status(header: RetryAfterFault, status: int) -> RetryAfterFault:
    return header.at_status(status)


def _odds_of(plan: FaultPlan, struck: Struck) -> _Odds | None:
    windows: tuple[Burst | Ramp, ...] = (*plan.bursts, *plan.ramps)
    odds = _Odds(
        tuple(outage for outage in plan.outages if outage.fault.strikes == struck),
        tuple(window for window in windows if window.fault.strikes == struck),
        tuple(fault for fault, rate in plan.rates if fault.strikes == struck and rate > 0),
        tuple(rate for fault, rate in plan.rates if fault.strikes == struck and rate > 0),
    )
    return odds if any(odds) else None


def _weights(odds: _Odds, at_s: float, answer: Answer | None) -> tuple[list[Fault], list[float]]:
    # Each window takes its rate of what the earlier ones left, and the plain rates share the
    # rest. So two overlapping windows never sum above 1.
    faults: list[Fault] = []
    weights: list[float] = []
    left = 1.0
    for window in odds.windows:
        share = left * window.rate_at(at_s)
        if share > 0 and (answer is None or window.fault.applies_to(answer)):
            faults.append(window.fault_at(at_s))
            weights.append(share)
            left -= share
    faults.extend(odds.faults)
    weights.extend([left * rate for rate in odds.rates])
    return faults, weights
