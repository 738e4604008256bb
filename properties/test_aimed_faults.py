"""Aimed faults: each request meets what the plan reduced to the first aim that fits it says.

Requests to several providers, models and paths go to a server with aims, and the same requests to
a server with the reduced plan of each aim, and to one without faults. Answers are compared byte
for byte, and fault for fault.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.plan.aimed import Aimed, Target
from chaoscheck.plan.catalogue import BODY_FAULTS, HEADER_FAULTS, STATUS_FAULTS
from chaoscheck.plan.delivery import Act
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.books.ledger import Ledger
from chaoscheck.server.decision import Decisions
from chaoscheck.server.service import Service
from chaoscheck.strategies.faults import fault_plans
from chaoscheck.wire.request_codec import Request
from chaoscheck.world.virtual import VirtualWorld
from models.aiming import aim_of, is_pattern_of

KINDS = (*STATUS_FAULTS, *BODY_FAULTS, *HEADER_FAULTS)
EVERY_S = 0.75  # between two requests: bursts and outages begin and end among them

# (provider, model, path, headers): what requests may be meant for.
PLACES: tuple[tuple[str, str | None, str, dict[bytes, bytes]], ...] = (
    ("openai", "gpt-4o", "/v1/chat/completions", {}),
    ("openai", "gpt-4o-mini", "/v1/chat/completions", {}),
    ("openai", "o1", "/v1/embeddings", {}),
    ("openai", None, "/v1/models", {}),
    ("openai", "gpt-4o", "/v1/models/gpt-4o", {}),
    ("azure", "gpt-4o", "/openai/deployments/gpt-4o/chat/completions", {}),
    ("anthropic", "claude-x", "/v1/messages", {b"anthropic-version": b"2023-06-01"}),
    ("gemini", "gemini-2.0-flash", "/v1beta/models/gemini-2.0-flash:generateContent", {}),
    ("ollama", "gpt-4o", "/api/chat", {}),
)
AIMS: tuple[Mapping[str, str], ...] = (
    {"provider": "anthropic"},
    {"provider": "openai", "model": "gpt-4o*"},
    {"path": "/v1/chat/*"},
    {"model": "gpt-4o"},
    {"model": "g*-*o"},
    {"provider": "gemini", "path": "*:generateContent"},
    {"path": "*/chat*"},
    {"provider": "openai"},
)

Met = tuple[str | None, tuple[Act, ...]]


def request_to(place: int, text: str, key: str) -> Request:
    """A request for one of ``PLACES``, of the key ``key``."""
    provider, model, path, headers = PLACES[place]
    said: dict[str, Any] = {"messages": [{"role": "user", "content": text}], "stream": False}
    if provider == "gemini":
        said = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    if path.endswith("embeddings"):
        said = {"input": text}
    if provider == "anthropic":
        said["max_tokens"] = 9
    # What the path names is not repeated, or is said otherwise: the path counts.
    said["model"] = "another" if provider == "azure" else model
    if provider == "gemini":
        del said["model"]
    listing = "/v1/models" in path
    return Request(
        "GET" if listing else "POST",
        path + ("?api-version=2024-10-21" if provider == "azure" else ""),
        {b"x-chaos-key": key.encode(), b"content-type": b"application/json", **headers},
        b"" if listing else json.dumps(said).encode(),
        keep_alive=True,
    )


def played(plan: FaultPlan, places: Sequence[int]) -> list[Met]:
    """What each request meets, in order: its fault, and what goes onto the wire.

    Every third request repeats the key of the one before it that went to the same place, so that
    some are second attempts.
    """
    met: list[Met] = []
    with VirtualWorld():
        service = Service(Decisions(plan, None), Ledger(100), None)
        service.start(0.0)
        for at, place in enumerate(places):
            request = request_to(place, "hello", f"{place}:{at // 3}")
            job = service.begin(request, at * EVERY_S)
            met.append((None if job.fault is None else repr(job.fault), job.acts))
            job.sent = [b"".join(each.data for each in job.acts if hasattr(each, "data"))]
            job.ended, job.effect = "complete", job.struck
            service.end(job, at * EVERY_S)
    return met


def check(plan: FaultPlan, places: Sequence[int]) -> int:
    """Assert the law for these requests; how many of them an aim concerned."""
    aims = [aim.where() for aim in plan.aimed]
    meant = [aim_of(aims, _words(place)) for place in places]
    alike: dict[int | None, list[Met]] = {
        number: played(_reduced(plan, number), places) for number in set(meant)
    }
    expected = [alike[number][at] for at, number in enumerate(meant)]
    assert expected == played(plan, places)
    return sum(number is not None for number in meant)


def _words(place: int) -> dict[str, str]:
    provider, model, path, _ = PLACES[place]
    return {"provider": provider, "path": path, **({} if model is None else {"model": model})}


def _reduced(plan: FaultPlan, number: int | None) -> FaultPlan:
    """The plan without aims that the requests of an aim go by, made without ``reduced_to``."""
    own = dataclasses.replace(plan, aimed=())
    if number is None:
        return own
    aim = plan.aimed[number]
    names = {fault.name for fault, _ in aim.rates}
    kept = tuple(pair for pair in plan.rates if pair[0].name not in names)
    return dataclasses.replace(
        own,
        rates=(*[pair for pair in aim.rates if pair[1]], *kept),
        bursts=(*aim.bursts, *plan.bursts),
        first=aim.first or plan.first,
    )


# Limits are shared by all requests, so that a plan for some of them charges less: no part of this.
PLANS = fault_plans(KINDS, aims=AIMS).map(lambda plan: dataclasses.replace(plan, limits=()))
REQUESTS = st.lists(st.integers(0, len(PLACES) - 1), min_size=1, max_size=20)


@settings(max_examples=60)
@given(PLANS, REQUESTS)
def test_a_request_meets_what_the_plan_reduced_to_its_aim_says(
    plan: FaultPlan, places: list[int]
) -> None:
    """Rates, bursts, ``first``, header faults, outages and ramps: the same bytes, request by
    request, and none of a part that is aimed elsewhere.
    """
    check(plan, places)


@settings(max_examples=30)
@given(PLANS, REQUESTS)
def test_a_request_that_fits_no_aim_is_answered_as_without_faults(
    plan: FaultPlan, places: list[int]
) -> None:
    """With aimed parts alone, all others get the very bytes of a silent server."""
    aimed = FaultPlan(seed=plan.seed, aimed=plan.aimed)
    silent = FaultPlan(seed=plan.seed)
    aims = [aim.where() for aim in plan.aimed]
    answered = zip(played(silent, places), played(aimed, places), places, strict=True)
    others = [both for *both, place in answered if aim_of(aims, _words(place)) is None]

    assert [good for good, _ in others] == [met for _, met in others]


@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_a_pattern_fits_as_the_model_says(pattern: str, text: str) -> None:
    """By every length of each star, where the plan's own way never looks back."""
    if pattern:
        aim = Aimed(model=pattern)

        assert is_pattern_of(pattern, text) is aim.fits(Target("openai", text, "/"))


@given(st.text("ab*", min_size=1, max_size=5), st.text("ab*", min_size=1, max_size=5), st.data())
def test_an_aim_that_is_called_covered_is(wide: str, narrow: str, data: st.DataObject) -> None:
    """Whatever fits the narrower one fits the wider one: no aim is refused that could be met."""
    if Aimed(model=wide).covers(Aimed(model=narrow)):
        stars = [data.draw(st.text("ab", max_size=3)) for _ in range(narrow.count("*"))]
        pieces = narrow.split("*")
        text = pieces[0] + "".join(a + b for a, b in zip(stars, pieces[1:], strict=True))

        assert is_pattern_of(wide, text)


# ---------------------------------------------------------------------- planted bugs

# Each place twice, so that the first attempt of two requests is met.
ALL_PLACES = [place for place in range(len(PLACES)) for _ in range(3)]
SCENE = FaultPlan.of(
    {"status_500": 0.3},
    seed=3,
    aimed=[
        {"provider": "anthropic", "rates": {"status_529": 0.6}},
        {"provider": "openai", "model": "gpt-4o*", "rates": {"status_429": 0.7}},
        {"path": "/v1/chat/*", "first": ["status_503"]},
        {"model": "gpt-4o", "first": ["status_408", "status_500"], "rates": {"status_500": 0}},
    ],
)


def any_of_them(self: Aimed, target: Target) -> bool:
    """Fits where any of what it names does."""
    alone: dict[str, Any] = {"provider": None, "model": None, "path": None}
    given = [
        dataclasses.replace(self, **{**alone, name: text}) for name, text in self.where().items()
    ]
    return any(_fits(each, target) for each in given)


def without_stars(self: Aimed, target: Target) -> bool:
    """Takes a star for a star."""
    return all(getattr(target, name) == text for name, text in self.where().items())


def without_the_plan(self: FaultPlan, aim: Aimed | None) -> FaultPlan:
    """Forgets what the plan says of all requests."""
    if aim is None:
        return self
    return FaultPlan(seed=self.seed, rates=aim.rates, first=aim.first)


def with_the_plans_first(self: FaultPlan, aim: Aimed | None) -> FaultPlan:
    """Forgets the ``first`` of an aim."""
    reduced = _reduced_to(self, aim)
    return dataclasses.replace(reduced, first=self.first)


def without_an_end(self: Decisions, target: Target | None) -> Any:
    """Goes by the last aim that fits."""
    found = [rules for aim, rules in self._aims if target is not None and aim.fits(target)]
    return found[-1] if found else self._rules


_fits, _reduced_to = Aimed.fits, FaultPlan.reduced_to
BUGS = {
    "any word fits": (Aimed, "fits", any_of_them),
    "a star is a star": (Aimed, "fits", without_stars),
    "the plan is forgotten": (FaultPlan, "reduced_to", without_the_plan),
    "first is forgotten": (FaultPlan, "reduced_to", with_the_plans_first),
    "the last one counts": (Decisions, "_rules_for", without_an_end),
    "aims are forgotten": (Decisions, "_rules_for", lambda self, target: self._rules),
}


def test_the_scene_obeys_the_law_and_its_aims_are_met() -> None:
    """It holds without a bug, for some requests of each aim and some of none."""
    assert len(ALL_PLACES) > check(SCENE, ALL_PLACES) > 9


@pytest.mark.parametrize(("owner", "name", "bug"), BUGS.values(), ids=BUGS)
def test_a_server_that_aims_badly_is_caught(
    owner: type[Any], name: str, bug: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each planted bug breaks the law in the scene."""
    monkeypatch.setattr(owner, name, bug)
    with pytest.raises(AssertionError):
        check(SCENE, ALL_PLACES)
