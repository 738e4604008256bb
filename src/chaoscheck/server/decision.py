"""Which fault a request meets: decided purely, from the plan, its key and place, and the time.

Precedence: the one-shot queue, the script of its key, an outage, the limits, and then one draw
that bursts, ramps and rates share; so a request meets at most one fault. Limits are asked in
order, each charges what it lets pass, and none is asked after one refused; a request that
something earlier decides is charged nowhere. Where the plan has aims, the first that fits a
request makes the rules it goes by, together with the plan's own parts.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from chaoscheck.plan.aimed import Target
from chaoscheck.plan.answer import Answer
from chaoscheck.plan.burst import Burst
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.api_errors import RETRYABLE_STATUSES
from chaoscheck.plan.fault_kinds.retry_after_fault import RetryAfterFault
from chaoscheck.plan.fault_kinds.status_fault import StatusFault
from chaoscheck.plan.fault_kinds.tool_call_fault import ToolCallFault
from chaoscheck.plan.fault_plan import FaultPlan, as_fault, as_script, check_rates
from chaoscheck.plan.limits import Quota, TokenQuota
from chaoscheck.plan.outage import Outage
from chaoscheck.plan.ramp import Ramp
from chaoscheck.server.identity import Arrival
from chaoscheck.server.limit_state import LimitState, Standing, Standings, state_of
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


class _Rules(NamedTuple):
    """What a plan without aims says to requests; ``silent`` is nothing at all."""

    odds: _Odds | None
    first: tuple[Fault | None, ...]
    limits: tuple[LimitState, ...]
    headers: tuple[RetryAfterFault, ...]
    header_odds: tuple[float, ...]

    @property
    def silent(self) -> bool:
        return not (self.odds or self.first or self.limits)


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
        self._limits = tuple(map(state_of, plan.limits))
        self._aimed_limits = [tuple(map(state_of, aim.limits)) for aim in plan.aimed]
        limits = (*plan.limits, *(limit for aim in plan.aimed for limit in aim.limits))
        self.needs_caller = any(
            isinstance(limit, Quota | TokenQuota) and limit.per.startswith("api_key")
            for limit in limits
        )
        self.context_windows = plan.context_window
        self.counts_tokens = bool(self.context_windows) or any(
            isinstance(limit, TokenQuota) for limit in limits
        )
        self.needs_target = bool(plan.aimed)
        self.needs_model = any(aim.model is not None for aim in plan.aimed)
        self._weigh_up()

    def _weigh_up(self) -> None:
        # What does not change from request to request is looked at here, once.
        plan = self._plan
        self._rules = _rules_of(plan, self._limits)
        self._aims = [
            (aim, _rules_of(plan.reduced_to(aim), (*limits, *self._limits)))
            for aim, limits in zip(plan.aimed, self._aimed_limits, strict=True)
        ]
        self._connection_odds = _odds_of(plan, "connection")
        every = (self._rules, *(rules for _, rules in self._aims))
        self._silent = not self._scripts and all(rules.silent for rules in every)
        plans = (plan, *(plan.reduced_to(aim) for aim in plan.aimed))
        scripted = [fault for script in self._scripts.values() for fault in script]
        planned = [fault for each in plans for fault in _faults_of(each)]
        self._plan_concerns_calls = any(
            isinstance(fault, ToolCallFault) for fault in (*scripted, *planned)
        )

    def _rules_for(self, target: Target | None) -> _Rules:
        """What requests for this target go by; the same rules for all in a plan without aims."""
        if target is not None:
            for aim, rules in self._aims:
                if aim.fits(target):
                    return rules
        return self._rules

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
        healed = FaultPlan(
            seed=self._plan.seed,
            context_window=self._plan.context_window,
            replies=self._plan.replies,
        )
        self.adopt(healed)

    @property
    def idle(self) -> bool:
        """Whether nothing can happen to a request, whoever it is, and nothing counts it."""
        return self._silent and not self.one_shots

    @property
    def concern_calls(self) -> bool:
        """Whether a request may meet a fault of tool calls."""
        return self._plan_concerns_calls or any(
            isinstance(fault, ToolCallFault) for fault in self.one_shots
        )

    def goes_on(self, key: str, attempt: int, target: Target | None = None) -> bool:
        """Whether the script of ``key`` says what comes after this attempt, good as it may be."""
        return not self._silent and attempt < len(self._script_of(key, self._rules_for(target)))

    def _script_of(self, key: str, rules: _Rules) -> tuple[Fault | None, ...]:
        return self._scripts.get(key, rules.first) if self._scripts else rules.first

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
        rules = self._rules if arrival.target is None else self._rules_for(arrival.target)
        decided, fault = self._certain(rules, arrival, answer)
        if not decided:
            keys = (arrival.key, arrival.occurrence, arrival.attempt)
            fault = self._drawn(rules.odds, arrival.at_s, answer, keys)
        if fault is None:
            return None
        if rules.headers and isinstance(fault, StatusFault):
            fault = self._headed(rules, arrival, fault)
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
        limits = self._rules_for(arrival.target).limits
        if not limits:
            return None
        tightest: dict[str, Standing] = {}
        for limit in limits:
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

    def _certain(
        self, rules: _Rules, arrival: Arrival, answer: Answer
    ) -> tuple[bool, Fault | None]:
        """Whether the fate is beyond chance, and then the fault, if any."""
        script = self._script_of(arrival.key, rules)
        if arrival.attempt <= len(script):
            return True, script[arrival.attempt - 1]
        odds = rules.odds
        if odds is not None:
            for outage in odds.outages:
                if outage.covers(arrival.at_s) and outage.fault.applies_to(answer):
                    return True, outage.fault_at(arrival.at_s)
        for limit in rules.limits:
            if limit.fault.applies_to(answer):
                refused = limit.refuses(arrival)
                if refused is not None:
                    return True, refused
        return odds is None, None

    def _headed(self, rules: _Rules, arrival: Arrival, fault: StatusFault) -> Fault:
        if fault.status not in RETRYABLE_STATUSES:
            return fault
        keys = (arrival.key, arrival.occurrence, arrival.attempt, "header fault")
        drawn = self._choices.weigh_for(keys, "header fault", rules.header_odds)
        return _at_status(rules.headers[drawn - 1], fault.status) if drawn else fault

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


def _rules_of(plan: FaultPlan, limits: tuple[LimitState, ...]) -> _Rules:
    headers = tuple(fault for fault, _ in plan.headers)
    return _Rules(_odds_of(plan, "request"), plan.first, limits, headers, _header_odds(plan))


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


def _faults_of(plan: FaultPlan) -> Iterator[Fault | None]:
    """All that a plan may do to any request's answer; None stands for an attempt left alone."""
    yield from (fault for fault, _ in plan.rates)
    windows: tuple[Outage | Burst | Ramp, ...] = (*plan.outages, *plan.bursts, *plan.ramps)
    yield from (window.fault for window in windows)
    yield from plan.first


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
