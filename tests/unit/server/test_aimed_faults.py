"""Aimed faults at work in a server: what a request is meant for, limits, changes while it runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.aimed import Aimed, Target
from chaoscheck.plan.answer import Answer
from chaoscheck.plan.documents.plan_document import plan_to_document
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.limits import Quota
from chaoscheck.server.admin import Admin
from chaoscheck.server.apis.routes import PROVIDERS, path_of, route
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.decision import Decisions
from chaoscheck.server.identity import Arrival
from chaoscheck.server.replay.replay import Replay
from chaoscheck.server.settings import ServerSettings
from chaoscheck.server.targets import target_of
from chaoscheck.wire.request_codec import Request

BUSY = faults.status_529()
GPT = Target("openai", "gpt-4o", "/v1/chat/completions")
CLAUDE = Target("anthropic", "claude-x", "/v1/messages")


def plan_at(*aims: Mapping[str, Any], **parts: Any) -> FaultPlan:
    """A plan with these aims."""
    return FaultPlan.of(parts.pop("rates", {}), aimed=aims, **parts)


def met(decisions: Decisions, target: Target, key: str = "k", attempt: int = 1) -> Fault | None:
    """What a request for ``target`` meets at second 0."""
    arrival = Arrival(key=key, attempt=attempt, at_s=0.0, in_flight=0, target=target)
    return decisions.decide(arrival, Answer(status=200))


# ---------------------------------------------------------------------- what a request is for


@pytest.mark.parametrize(
    ("method", "target", "body", "provider", "model"),
    [
        ("POST", "/v1/chat/completions", b'{"model": "m/x"}', "openai", "m/x"),
        ("POST", "/v1/chat/completions", b'{"model": null}', "openai", None),
        ("POST", "/v1/chat/completions", b'{"messages": ["model"]}', "openai", None),
        ("POST", "/v1/chat/completions", b'{"model": "m"', "openai", None),
        ("POST", "/v1/chat/completions", b'["model"]', "openai", None),
        ("POST", "/v1/chat/completions", b'{"model": ' + b"[" * 100_000, "openai", None),
        ("GET", "/v1/models/gpt-4o", b"", "openai", "gpt-4o"),
        ("GET", "/v1/batches/batch_1", b"", "openai", None),
        ("POST", "/openai/deployments/d/embeddings?api-version=1", b'{"model": "m"}', "azure", "d"),
        ("POST", "/v1beta/models/g-2:generateContent", b"{}", "gemini", "g-2"),
        ("POST", "/api/chat", b'{"model": "llama3.2:latest"}', "ollama", "llama3.2:latest"),
        ("POST", "/nowhere", b'{"model": "m"}', "openai", "m"),
    ],
)
def test_a_request_is_for_a_provider_a_model_and_a_path(
    method: str, target: str, body: bytes, provider: str, model: str | None
) -> None:
    """The model that the path names, else the body's; an id in a path is none."""
    path = path_of(target)
    way = route(method, target, path)
    request = Request(method, target, {}, body, keep_alive=True)

    assert Target(provider, model, path) == target_of(way, path, request)


# ---------------------------------------------------------------------- aims that fit nothing

UNREACHABLE = [
    ({"provider": "anthropc"}, None, "unknown provider 'anthropc'; did you mean 'anthropic'"),
    ({"provider": "openai"}, ("ollama",), "'openai' is not served here, and so meets no fault"),
    ({"path": "/v1/chat/completion"}, None, "did you mean '/v1/chat/completions'"),
    ({"path": "/v2/*"}, None, "path '/v2/*' is no path of openai, azure, openrouter, anthropic"),
    ({"provider": "anthropic", "path": "/v1/chat/*"}, None, "is no path of anthropic"),
    ({"path": "/v1/messages"}, ("openai", "gemini"), "is no path of openai, gemini"),
]


@pytest.mark.parametrize(("aim", "providers", "says"), UNREACHABLE)
def test_an_aim_that_can_fit_no_request_is_refused(
    aim: dict[str, str], providers: tuple[str, ...] | None, says: str
) -> None:
    """When a server is made, and when its plan is changed: nothing changes then."""
    settings = ServerSettings(providers=providers)
    server = ChaosServer(settings=settings)
    for refused in (
        lambda: ChaosServer(plan_at(aim), settings=settings),
        lambda: setattr(server, "plan", plan_at(aim)),
    ):
        with pytest.raises(PlanError) as refusal:
            refused()
        assert says in str(refusal.value)
        assert "aimed[0]: " in str(refusal.value)
    assert FaultPlan() == server.plan


@pytest.mark.parametrize(
    "aim",
    [
        *[{"provider": each.name} for each in PROVIDERS],
        {"path": "*"},
        {"path": "/v1/models/any/model"},
        {"path": "*/deployments/d*/chat/*"},
        {"path": "/v1/responses/*/cancel"},
        {"provider": "gemini", "path": "/v1beta/models/*:generateContent"},
    ],
)
def test_an_aim_that_some_request_may_fit_is_taken(aim: dict[str, str]) -> None:
    """Whatever name or id a path has in it."""
    assert {**aim} == ChaosServer(plan_at(aim)).plan.aimed[0].where()


def test_answers_from_elsewhere_may_have_other_paths() -> None:
    """A replay or an upstream knows paths that our APIs do not; no other provider, though."""
    settings = ServerSettings(source=Replay([]))
    ChaosServer(plan_at({"path": "/v1/audio/speech"}), settings=settings)
    with pytest.raises(PlanError, match="unknown provider"):
        ChaosServer(plan_at({"provider": "cohere"}), settings=settings)


# ---------------------------------------------------------------------- at work


def test_a_limit_that_is_aimed_counts_its_own_requests() -> None:
    """Others are neither refused nor charged; a limit of the plan counts all."""
    aim = {"provider": "anthropic", "limits": [Quota(requests=1, every_s=9, fault=BUSY)]}
    decisions = Decisions(plan_at(aim, limits=[Quota(requests=4, every_s=9)]), None)
    told = [met(decisions, target) for target in (GPT, CLAUDE, CLAUDE, GPT, GPT, GPT)]

    assert decisions.needs_caller
    assert [None, None, faults.status_529(retry_after_s=9.0), None, None] == told[:5]
    assert faults.status_429(retry_after_s=9.0) == told[5]
    arrival = Arrival(key="k", attempt=1, at_s=0.0, in_flight=0, target=CLAUDE)
    standings = decisions.standings(arrival)
    assert standings is not None
    assert standings.requests is not None
    assert (1, 0) == (standings.requests.limit, standings.requests.remaining)


def test_a_first_that_is_aimed_is_met_by_its_requests_alone() -> None:
    """Its end decides when their calls are over; a script of the key goes before it."""
    decisions = Decisions(plan_at({"model": "gpt-*", "first": [BUSY, None]}), None)
    decisions.script("mine", [None, "status_500"])

    assert [BUSY, None, None] == [met(decisions, GPT, attempt=attempt) for attempt in (1, 2, 3)]
    assert met(decisions, CLAUDE) is None
    assert [None, faults.status_500()] == [met(decisions, GPT, "mine", each) for each in (1, 2)]
    assert [True, False, False] == [
        decisions.goes_on("k", 1, GPT),
        decisions.goes_on("k", 2, GPT),
        decisions.goes_on("k", 1, CLAUDE),
    ]


def test_rates_that_are_set_while_it_runs_keep_the_aims() -> None:
    """A rate for all is added to what is aimed; a sum above 1 for some request changes nothing."""
    server = ChaosServer(plan_at({"provider": "anthropic", "rates": {BUSY: 0.75}}))
    server.set_rate("status_500", 0.25)
    before = server.plan
    with pytest.raises(PlanError, match=r"aimed\[0\]: rates must sum to at most 1, got 1.05"):
        server.set_rate("status_502", 0.05)

    assert before == server.plan
    assert ((BUSY, 0.75), (faults.status_500(), 0.25)) == before.reduced_to(before.aimed[0]).rates
    server.heal()
    assert () == server.plan.aimed


def test_what_is_aimed_by_chance_is_a_step_of_a_story() -> None:
    """A machine prints it as the fault that it was, so that it can be replayed and shrunk."""
    decisions = Decisions(plan_at({"model": "claude-*", "rates": {BUSY: 1.0}}), None)

    assert [None, BUSY] == [met(decisions, GPT), met(decisions, CLAUDE)]
    assert [BUSY] == list(decisions.by_chance)


def test_a_plan_with_aims_at_nothing_that_goes_wrong_is_idle() -> None:
    """Without aims no target is looked at; with aims at nothing, nothing is decided."""
    assert (True, False) == (
        Decisions(FaultPlan(), None).idle,
        Decisions(FaultPlan(), None).needs_target,
    )
    empty = Decisions(FaultPlan(aimed=(Aimed(provider="openai"),)), None)
    assert (True, True) == (empty.idle, empty.needs_target)


def test_aims_come_and_go_by_the_admin_endpoint() -> None:
    """PUT plan takes them, GET shows them, and a bad one is a 400 that names it."""
    server = ChaosServer(settings=ServerSettings(admin_token="t"))
    admin = Admin(server, "t")
    plan = plan_at({"provider": "anthropic", "rates": {"status_529": 0.5}})

    def ask(method: str, document: object = None) -> tuple[int, Any]:
        body = b"" if document is None else json.dumps(document).encode()
        headers = {b"x-chaos-token": b"t"}
        said = admin.answer(Request(method, "/_chaoscheck/plan", headers, body, keep_alive=True))
        return said.status, json.loads(said.body)

    assert (200, plan_to_document(plan)) == ask("PUT", plan_to_document(plan)) == ask("GET")
    status, said = ask("PUT", {"aimed": [{"provider": "antropic"}]})
    assert 400 == status
    assert "aimed[0]: unknown provider 'antropic'" in said["error"]["message"]
    assert plan == server.plan
