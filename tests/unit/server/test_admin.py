"""Admin: who may ask what, and what it does to the server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan.answer import Answer
from chaoscheck.plan.documents.plan_document import plan_from_document, plan_to_document
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.replies import Replies
from chaoscheck.server.admin import ADMIN_PREFIX, BODY_BYTES_MAX, Admin
from chaoscheck.server.books.ledger import Ledger
from chaoscheck.server.books.private_fields import key_digest
from chaoscheck.server.books.prometheus import prometheus_text
from chaoscheck.server.books.stats import stats_of
from chaoscheck.wire.request_codec import Request
from properties.test_ledger_counters import EXCHANGE

TOKEN = "s3cret-t0ken"
BEARER = {"authorization": f"Bearer {TOKEN}"}
FIRST = FaultPlan.of({"status_429": 0.25}, seed=7)
OTHER = FaultPlan.of({"status_503": 0.5})


class FakeServer:
    """What admin sees of a server; ``told`` lists what it was told to do."""

    def __init__(self) -> None:
        self.plan = FIRST
        self.ledger = Ledger(3)
        self.in_flight = 2
        self.started_at_s = 1.75e9
        self.uptime_s = 12.5
        self.told: list[str] = []

    def next_fault(self, fault: Fault | str) -> None:
        """Told of each."""
        self.told.append(repr(fault))

    def heal(self) -> None:
        """Told."""
        self.told.append("heal")

    def reset(self) -> None:
        """Told."""
        self.told.append("reset")


@pytest.fixture
def server() -> FakeServer:
    """A server on the first plan."""
    return FakeServer()


def _ask(
    server: FakeServer,
    asked: str,
    body: object = b"",
    headers: Mapping[str, str] = BEARER,
) -> Answer:
    """``asked`` is a method and what follows the prefix; a body that is no bytes is JSON."""
    method, _, rest = asked.partition(" ")
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    return Admin(server, TOKEN).answer(
        Request(
            method=method,
            target=ADMIN_PREFIX + rest,
            headers=raw,
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
            keep_alive=True,
        )
    )


def _said(answer: Answer) -> Any:
    return json.loads(answer.body)


def _message(answer: Answer) -> str:
    return str(_said(answer)["error"]["message"])


# ---------------------------------------------------------------------- who may ask

ASKED = (
    "GET plan",
    "PUT plan",
    "GET stats",
    "GET export",
    "GET health",
    "POST reset",
    "POST faults",
    "POST heal",
    "GET nowhere",
)


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer "},
        {"authorization": TOKEN},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"x-chaos-token": TOKEN[:-1]},
        {"x-chaos-token": "é"},
    ],
    ids=["none", "empty", "bare", "basic", "longer", "shorter", "not ASCII"],
)
def test_without_the_token_nothing_is_said_or_done(
    asked: str, headers: Mapping[str, str], server: FakeServer
) -> None:
    """A stranger gets 401 at each endpoint, without the token, and changes nothing."""
    answer = _ask(server, asked, {"faults": ["status_500"], "plan": True}, headers)

    assert 401 == answer.status
    assert ("www-authenticate", "Bearer") in answer.headers
    assert TOKEN.encode() not in answer.body
    assert ([], FIRST) == (server.told, server.plan)


@pytest.mark.parametrize(
    "headers",
    [BEARER, {"authorization": f"bearer  {TOKEN}"}, {"x-chaos-token": TOKEN}],
    ids=["bearer", "any case", "header"],
)
def test_the_token_comes_in_either_header(headers: Mapping[str, str], server: FakeServer) -> None:
    """I send it as Authorization: Bearer or as X-Chaos-Token."""
    assert 200 == _ask(server, "GET health", headers=headers).status


@pytest.mark.parametrize("token", ["", "two words", "tab\t", "é", "line\n"])
def test_a_token_that_no_header_carries_is_refused(token: str, server: FakeServer) -> None:
    """I learn at the start that nobody could send this token; the message does not repeat it."""
    with pytest.raises(PlanError, match="must be visible ASCII characters") as caught:
        Admin(server, token)
    assert not token or token not in str(caught.value)


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ("POST plan", "GET, PUT, HEAD"),
        ("DELETE stats", "GET, HEAD"),
        ("GET reset", "POST"),
        ("HEAD heal", "POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    asked: str, allowed: str, server: FakeServer
) -> None:
    """405 with Allow, and nothing happens."""
    answer = _ask(server, asked)

    assert (405, []) == (answer.status, server.told)
    assert ("allow", allowed) in answer.headers


@pytest.mark.parametrize("name", ["", "nowhere", "plan/", "plan/x", "<script>"])
def test_an_unknown_path_is_told_the_endpoints(name: str, server: FakeServer) -> None:
    """404 names what there is, and not what was asked."""
    answer = _ask(server, f"GET {name}")

    assert 404 == answer.status
    assert "/_chaoscheck/export" in _message(answer)
    assert b"script" not in answer.body


@pytest.mark.parametrize("asked", ["PUT plan", "POST faults", "POST reset"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "the body is not JSON: "),
        (b'{"a": 1, "a": 2}', "a key stands twice"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b"\xff", "the body is not JSON: not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[1]", "the body must be a JSON object, got [1]"),
        (b'{"nope": 1}', "nope"),
    ],
    ids=["cut", "twice", "nan", "utf-8", "deep", "list", "key"],
)
def test_a_bad_body_is_told_what_is_wrong(
    asked: str, body: bytes, message: str, server: FakeServer
) -> None:
    """400 with the reason, and nothing happens."""
    answer = _ask(server, asked, body)

    assert (400, [], FIRST) == (answer.status, server.told, server.plan)
    assert message in _message(answer)


def test_a_body_has_a_limit(server: FakeServer) -> None:
    """One byte above 1 MiB is 413; 1 MiB is read."""
    long = b'{"faults": []}'.ljust(BODY_BYTES_MAX)

    assert (413, 200) == (
        _ask(server, "POST faults", long + b" ").status,
        _ask(server, "POST faults", long).status,
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("GET stats?format=xml", "format must be one of json, prometheus, got 'xml'"),
        ("GET stats?format=", "format must be one of json, prometheus, got ''"),
        ("GET stats?fmt=json", "unknown parameter 'fmt'; did you mean 'format'? legal: format"),
        ("GET health?x=1", "unknown parameter 'x'; legal: none"),
        ("GET export?limit=0", "limit must be an integer >= 1, got '0'"),
        ("GET export?limit=-1", "limit must be an integer >= 1, got '-1'"),
        ("GET export?limit=1e3", "limit must be an integer >= 1, got '1e3'"),
        ("GET export?limit=%D9%A1", "limit must be an integer >= 1"),
        ("GET export?tags=yes", "tags must be true or false, got 'yes'"),
        ("GET export?keys=1", "keys must be true or false, got '1'"),
    ],
)
def test_a_bad_parameter_is_told_the_legal_values(
    asked: str, message: str, server: FakeServer
) -> None:
    """400 shows the value and what is legal."""
    answer = _ask(server, asked)

    assert 400 == answer.status
    assert message in _message(answer)


@pytest.mark.parametrize("asked", [*ASKED, "GET stats?format=prometheus"])
def test_no_browser_reads_an_answer_as_markup(asked: str, server: FakeServer) -> None:
    """Each answer has its type, nosniff and no markup, whatever clients sent us."""
    server.ledger.add(EXCHANGE._replace(key="<script>alert(1)&</script>"))
    answer = _ask(server, asked, {"faults": ["<script>"], "plan": "<script>"})

    assert ("x-content-type-options", "nosniff") in answer.headers
    assert ("cache-control", "no-store") in answer.headers
    assert "content-type" in dict(answer.headers)
    assert not set(b"<>&") & set(answer.body)


# ---------------------------------------------------------------------- what it does


def test_a_plan_is_put_and_got(server: FakeServer) -> None:
    """What I put is what the server goes by, and what I get."""
    put = _ask(server, "PUT plan", plan_to_document(OTHER))
    got = _ask(server, "GET plan")

    assert (200, put.body, OTHER) == (put.status, got.body, server.plan)
    assert OTHER == plan_from_document(_said(got))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"rates": {"status_503": 1.5}}, "[0, 1], got 1.5"),
        ({"rates": {"status_53": 1}}, "unknown fault 'status_53'"),
        ({"replies": {"mode": "recorded", "path": "a.jsonl"}}, "names a file"),
    ],
    ids=["rate", "fault", "file"],
)
def test_a_bad_plan_changes_nothing(
    document: dict[str, object], reason: str, server: FakeServer
) -> None:
    """400 with what a plan file would be told, and the old plan stays."""
    answer = _ask(server, "PUT plan", document)

    assert (400, FIRST) == (answer.status, server.plan)
    assert reason in _message(answer)


def test_a_plan_does_not_tell_where_a_recording_lies(server: FakeServer) -> None:
    """No path of the server's machine is served."""
    server.plan = FaultPlan(replies=Replies(mode="recorded", path="some/where.jsonl"))

    assert {"replies": {"mode": "recorded"}} == _said(_ask(server, "GET plan"))


@pytest.mark.parametrize(
    ("body", "plan"),
    [(b"", OTHER), ({}, OTHER), ({"plan": False}, OTHER), ({"plan": True}, FIRST)],
    ids=["nothing", "empty", "false", "true"],
)
def test_a_reset_forgets_and_may_bring_back_the_first_plan(
    body: object, plan: FaultPlan, server: FakeServer
) -> None:
    """Between two tests I reset; the plan returns only if I say so."""
    admin = Admin(server, TOKEN)
    server.plan = OTHER
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = admin.answer(
        Request(
            method="POST",
            target=f"{ADMIN_PREFIX}reset",
            headers={b"x-chaos-token": TOKEN.encode()},
            body=sent,
            keep_alive=True,
        )
    )

    assert (200, ["reset"], plan) == (answer.status, server.told, server.plan)


def test_faults_are_queued_in_order(server: FakeServer) -> None:
    """The next requests meet what I name, parameters included."""
    faults = ["status_429", "reset_mid_body(after_bytes=5)"]
    answer = _ask(server, "POST faults", {"faults": faults})

    assert (200, {"queued": server.told}) == (answer.status, _said(answer))
    assert "reset_mid_body(after_bytes=5)" == server.told[1]


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        (["status_500", "status_53"], "unknown fault 'status_53'"),
        ("status_500", "faults must be a list of faults as text, got 'status_500'"),
        ([None], "faults must be a list of faults as text, got [None]"),
        (None, "faults must be a list of faults as text, got None"),
    ],
)
def test_one_bad_fault_queues_none(faults: object, reason: str, server: FakeServer) -> None:
    """All or nothing: a typing error leaves no half of a script behind."""
    answer = _ask(server, "POST faults", {"faults": faults})

    assert (400, []) == (answer.status, server.told)
    assert reason in _message(answer)


def test_heal_and_health(server: FakeServer) -> None:
    """I can end all misbehaviour, and ask whether the server lives."""
    assert ({"status": "ok"}, ["heal"]) == (_said(_ask(server, "POST heal")), server.told)
    assert {"status": "ok", "in_flight": 2, "uptime_s": 12.5} == _said(_ask(server, "GET health"))


def test_stats_in_both_formats(server: FakeServer) -> None:
    """JSON by default, Prometheus on request, of the same numbers."""
    server.ledger.add(EXCHANGE)
    text = _ask(server, "GET stats?format=prometheus")

    assert stats_of(server) == _said(_ask(server, "GET stats"))
    assert stats_of(server) == _said(_ask(server, "HEAD stats?format=json"))
    assert prometheus_text(stats_of(server)) == text.body.decode()
    assert ("content-type", "text/plain; version=0.0.4; charset=utf-8") in text.headers


@pytest.mark.parametrize(
    ("query", "numbers"), [("", [2, 3, 4]), ("?limit=2", [3, 4]), ("?limit=999999999", [2, 3, 4])]
)
def test_the_newest_exchanges_are_exported(
    query: str, numbers: list[int], server: FakeServer
) -> None:
    """One JSON object a line, oldest first, as many as I ask for and the ring holds."""
    for number in range(1, 5):
        server.ledger.add(EXCHANGE._replace(number=number))
    answer = _ask(server, f"GET export{query}")

    assert numbers == [json.loads(line)["number"] for line in answer.body.splitlines()]
    assert ("content-type", "application/x-ndjson") in answer.headers


def test_an_export_holds_every_field_but_prompts_and_keys_on_request(server: FakeServer) -> None:
    """What clients wrote stays here unless I ask for it."""
    exchange = EXCHANGE._replace(tag="my prompt\n\ud800 <b>")
    server.ledger.add(exchange)
    plain, all_of_it = _ask(server, "GET export"), _ask(server, "GET export?tags=true&keys=true")

    assert exchange._asdict() == _said(all_of_it)
    assert {**exchange._asdict(), "tag": None, "key": key_digest(exchange.key)} == _said(plain)
    assert (1, 1) == (plain.body.count(b"\n"), all_of_it.body.count(b"\n"))
