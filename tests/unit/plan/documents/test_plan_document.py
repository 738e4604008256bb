"""Plan documents: what is read is what was written, and what is wrong is named by its key."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.errors import PlanError
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.burst import Burst
from chaoscheck.plan.distributions import LogNormal, Normal
from chaoscheck.plan.documents.plan_document import (
    plan_from_document,
    plan_from_json,
    plan_from_toml,
    plan_to_document,
    plan_to_json,
    read_plan,
    recorded_reply_from_document,
)
from chaoscheck.plan.documents.plan_schema import plan_schema, schema_text
from chaoscheck.plan.documents.presets import PRESETS
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.limits import ConcurrencyCap, Quota, TokenLimit, TokenQuota
from chaoscheck.plan.outage import Outage
from chaoscheck.plan.ramp import Ramp
from chaoscheck.plan.replies import Replies
from tests.unit.plan.documents.drawn_plans import drawn_plans

DOCS = Path(__file__).parents[4] / "docs"
TOML_BLOCKS = re.findall(r"```toml\n(.*?)```", (DOCS / "plans.md").read_text("utf-8"), re.DOTALL)
VALIDATOR = jsonschema.Draft202012Validator(plan_schema())

FULL = FaultPlan.of(
    {"status_429": 0.2, "reset_mid_body(after_bytes=17)": 0.1},
    seed=7,
    headers={"retry_after_garbage": 0.5},
    bursts=[
        Burst(
            fault=faults.status_529(),
            every_s=60,
            lasts_s=5,
            rate=0.8,
            phase_s=10,
            retry_after="true_wait",
        )
    ],
    outages=[Outage(fault=faults.refuse(), from_s=120, until_s=130)],
    ramps=[
        Ramp(fault=faults.slow_response(delay_s=3.0), from_s=200, until_s=260, end=0.5, hold=True)
    ],
    scripts={"order-17": ["status_429", None, "truncated_json"]},
    first=["status_429", None],
    limits=[
        TokenLimit(rate_per_s=10, burst=20),
        ConcurrencyCap(in_flight=8, fault=faults.status_503()),
        Quota(requests=600, every_s=60),
        TokenQuota(tokens=30_000, per="api_key_and_model"),
    ],
    context_window={"gpt-4*": 8192, "*": 128_000},
    replies=Replies(
        mode="seeded",
        tag=True,
        base_latency_s=LogNormal(p50_s=0.05, p99_s=0.4),
        first_token_s=0.2,
        token_s=Normal(mean_s=0.02, sigma_s=0.01),
    ),
    aimed=[
        {
            "provider": "anthropic",
            "model": "claude-*",
            "path": "/v1/messages",
            "rates": {"status_529": 0.5},
        },
        {"model": "gpt-*", "first": ["status_429"]},
    ],
)


@settings(max_examples=25)  # a plan takes 10 ms to draw and to validate
@given(drawn_plans())
def test_a_plan_survives_being_written(plan: FaultPlan) -> None:
    """What a server exports is exactly the plan it went by, and its schema says so."""
    VALIDATOR.validate(plan_to_document(plan))

    assert plan == plan_from_json(plan_to_json(plan))


def test_the_example_of_the_docs_says_what_it_shows() -> None:
    """I copy the page's example and get that plan."""
    assert FULL == plan_from_toml(TOML_BLOCKS[0])


@pytest.mark.parametrize("block", TOML_BLOCKS)
def test_every_example_of_the_docs_is_a_plan(block: str) -> None:
    """Nothing on the page is out of date."""
    plan = plan_from_toml(block)

    VALIDATOR.validate(plan_to_document(plan))


def test_the_recorded_reply_of_the_docs_is_one() -> None:
    """The line that the page shows is a line of a recording."""
    line = re.findall(r"```json\n(.*?)```", (DOCS / "plans.md").read_text("utf-8"), re.DOTALL)[0]
    entry = recorded_reply_from_document(json.loads(line))

    assert ("How warm is it?", '{"city": "Oslo"}') == (entry.prompt, entry.tool_calls[0].arguments)


def test_the_published_schema_is_the_codes_own() -> None:
    """What an editor checks against is what the parser knows; else write schema_text() there."""
    assert schema_text() == (DOCS / "plan.schema.json").read_text("utf-8")


@pytest.mark.parametrize("name", PRESETS)
def test_the_schema_accepts_every_preset(name: str) -> None:
    """An editor that knows the schema underlines nothing in a preset."""
    VALIDATOR.validate(copy.deepcopy(dict(PRESETS[name].document)))


def test_the_schema_is_one() -> None:
    """Tools can load it."""
    jsonschema.Draft202012Validator.check_schema(plan_schema())


def test_an_empty_document_is_silence() -> None:
    """I begin with an empty file and add what I need."""
    assert FaultPlan() == plan_from_toml("") == plan_from_json("{}")
    assert {} == plan_to_document(FaultPlan())


# What was changed in the full document: the path, the new value, and what is said of it.
MUTATIONS: list[tuple[tuple[str | int, ...], Any, str]] = [
    (("sed",), 1, "sed: unknown key; did you mean 'seed'?"),
    (("seed",), "7", "seed: must be an integer in [-2**63, 2**63), got '7'"),
    (("seed",), True, "got True"),
    (("seed",), 2**63, "seed: must be a table, a list, text, true, false, an integer of 64 bits"),
    (("rates",), [], "rates: must be a table, got []"),
    (("rates", "status_42"), 0.1, "rates.status_42: unknown fault 'status_42'; did you mean"),
    (("rates", "status_429"), 1.5, "rates.status_429: rate of status_429 must be in [0, 1]"),
    (("rates", "status_429"), "x", "must be in [0, 1], got 'x'"),
    (("rates", "status_500 + 1"), 0.1, "a fault is written name or name(parameter=value, ...)"),
    (("headers", "status_500"), 0.1, "headers takes faults named retry_after_"),
    (("bursts",), {}, "bursts: must be a list, got {}"),
    (("bursts", 0), 5, "bursts[0]: must be a table, got 5"),
    (("bursts", 0, "fault"), 5, "bursts[0].fault: must be the name of a fault, got 5"),
    (("bursts", 0, "every"), 5, "bursts[0].every: unknown key; did you mean 'every_s'?"),
    (("bursts", 0, "every_s"), 0, "bursts[0]: burst of"),
    (("bursts", 0, "every_s"), None, "must be a finite number >= 0, got None"),
    (("outages", 0, "fault"), "refuze", "did you mean 'refuse'"),
    (("outages", 0, "from_s"), -1, "from_s must be a finite number >= 0, got -1"),
    (("ramps", 0, "hold"), "yes", "hold must be true or false, got 'yes'"),
    (("ramps", 0, "end"), 2, "must be in [0, 1], got 2"),
    (("scripts", ""), [], "1 to 200 characters, got ''"),
    (("scripts", "order-17"), "none", "scripts.order-17: must be a list, got 'none'"),
    (("scripts", "order-17", 0), "nune", "scripts.order-17[0]: unknown fault 'nune'"),
    (("first",), ["refuse"], "refuse() strikes a connection"),
    (("first", 0), 1, "first[0]: must be the name of a fault, got 1"),
    (("limits", 0, "kind"), "token", "limits[0].kind: must be one of tokens, concurrency, quota"),
    (("limits", 0, "kind"), [], "limits[0].kind: must be one of tokens, concurrency, quota"),
    (("limits", 0, "rate_per_s"), 0, "rate_per_s must be a finite number > 0, got 0"),
    (("limits", 0, "in_flight"), 8, "limits[0].in_flight: unknown key"),
    (("limits", 1, "in_flight"), 0, "in_flight must be an integer >= 1, got 0"),
    (("limits", 1, "fault"), "refuse", "must be one of a request, got refuse()"),
    (("limits", 2, "per"), "user", "per must be 'api_key' or 'request_key', got 'user'"),
    (("replies", "mode"), "parrot", "replies: replies: mode must be one of echo, template"),
    (("replies", "template"), "x", "template goes with mode 'template'"),
    (("context_window", "*"), 0, "context_window of '*': must be an integer in [1, 1000000000]"),
    (
        ("context_window",),
        -1,
        "context_window of '*': must be an integer in [1, 1000000000] tokens",
    ),
    (("context_window",), "8k", "context_window: must be a table, got '8k'"),
    (("replies", "token_s"), "normall(mean_s=1)", "unknown distribution 'normall'; did you mean"),
    (("replies", "token_s"), "20 ms", "replies.token_s: a distribution is written name or"),
    (("replies", "first_token_s"), -1, "first_token_s must be a finite number >= 0, got -1"),
    (("replies", "words_min"), 0, "words_min must be an integer in [1, 100000], got 0"),
    (("replies", "path"), "x", "no other mode knows"),
    (("replies", "entries"), [{"txt": "x"}], "replies.entries[0]: txt: unknown key"),
    (("replies", "tag"), 1, "tag must be true or false, got 1"),
]


@pytest.mark.parametrize(("path", "value", "says"), MUTATIONS)
def test_what_is_wrong_is_named_by_its_key(
    path: tuple[str | int, ...], value: Any, says: str
) -> None:
    """Both the parser and the schema refuse it; the parser says where, what and what is legal."""
    document = plan_to_document(FULL)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(PlanError) as refusal:
        plan_from_document(document)

    assert says in str(refusal.value)
    assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (("bursts", 0, "every_s"), "bursts[0].every_s: is missing"),
        (("ramps", 0, "fault"), "ramps[0].fault: is missing"),
        (("limits", 2, "requests"), "limits[2].requests: is missing"),
        (("limits", 0, "kind"), "limits[0].kind: is missing"),
    ],
)
def test_what_is_missing_is_named_by_its_key(path: tuple[Any, ...], says: str) -> None:
    """I am told what a table lacks, by the parser and by the schema."""
    document = plan_to_document(FULL)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    with pytest.raises(PlanError) as refusal:
        plan_from_document(document)

    assert says == str(refusal.value)
    assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"rates": {"status_429": 0.7, "status_500": 0.5}}, "rates must sum to at most 1, got 1.2"),
        ({"rates": {"status_500": 0.1, "status_500()": 0.1}}, "rates name a fault twice"),
        ({"outages": [{"from_s": 2, "until_s": 1}]}, "until_s must be > from_s = 2, got 1"),
        ({"rates": {"status_500(x=1)": 0.1}}, "status_500 has no parameter 'x'"),
        ({"rates": {"slow_response(delay_s=-1)": 0.1}}, "delay_s must be a finite number >= 0"),
        ([], "plan: must be a table, got []"),
        ({1: 2}, "must be a table, a list, text"),
        ({"seed": {1, 2}}, "seed: must be a table, a list, text"),
        ({"first": [10**5000]}, "got a number beyond 64 bits"),
    ],
)
def test_what_no_schema_can_say_the_parser_says(document: object, says: str) -> None:
    """Sums, order, a fault's own parameters, and what is no document at all."""
    with pytest.raises(PlanError) as refusal:
        plan_from_document(document)

    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"seed": 1, "seed": 2}', "no JSON: the key 'seed' is given twice"),
        ("{", "no JSON: "),
        ("[" * 100_000, "no JSON: nested too deep"),
        ('{"first": ' + "[" * 40 + "]" * 40 + "}", "nested deeper than 32"),
        ('{"seed": NaN}', "seed: must be"),
        ('{"seed": 1e999}', "seed: must be"),
        ("1" * 5000, "no JSON: "),
        ("seed", "no JSON: "),
    ],
)
def test_json_that_is_none_is_refused(text: str, says: str) -> None:
    """Garbage is my mistake, told as such."""
    with pytest.raises(PlanError) as refusal:
        plan_from_json(text)

    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seed = ", "no TOML: "),
        ("seed = 1\nseed = 2", "no TOML: "),
        ("first = " + "[" * 10_000, "no TOML: "),
        ("seed = 2020-01-01", "seed: must be"),
        ("seed = inf", "seed: must be"),
    ],
)
def test_toml_that_is_none_is_refused(text: str, says: str) -> None:
    """Garbage is my mistake, told as such."""
    with pytest.raises(PlanError) as refusal:
        plan_from_toml(text)

    assert says in str(refusal.value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(plan_schema()["properties"])), _JSON, max_size=3))
def test_any_document_is_a_plan_or_a_plan_error(document: dict[str, Any]) -> None:
    """Whatever somebody sends, the server answers that the plan is wrong; nothing else escapes."""
    try:
        plan = plan_from_document(document)
    except PlanError:
        return
    assert plan == plan_from_document(plan_to_document(plan))


@pytest.mark.parametrize("name", ["plan.toml", "plan.JSON"])
def test_a_plan_is_read_by_its_suffix(tmp_path: Path, name: str) -> None:
    """TOML and JSON, also with the mark that some editors put first."""
    text = "seed = 3" if name.endswith("toml") else '{"seed": 3}'
    (tmp_path / name).write_text(text, encoding="utf-8-sig")

    assert FaultPlan(seed=3) == read_plan(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("plan.toml", b"[rates]\nstatus_42 = 0.1", "plan.toml: rates.status_42: unknown fault"),
        ("plan.json", b"{", "plan.json: no JSON: "),
        ("plan.yaml", b"", "plan.yaml: a plan's file must end in .toml or .json"),
        ("plan.toml", b"\xff", "plan.toml: must be text in UTF-8"),
        ("plan.toml", b"#" * (2**20 + 1), "plan.toml: has more than 1048576 bytes"),
        ("gone.toml", None, "gone.toml: cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_is_no_plan_is_named(
    tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    """I see which file and which key, and not where my home is."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(PlanError) as refusal:
        read_plan(tmp_path / name)

    assert str(refusal.value).startswith(says)
    assert str(tmp_path) not in str(refusal.value)


def test_a_recording_is_found_beside_its_plan(tmp_path: Path) -> None:
    """A folder with a plan and its recording can be moved."""
    (tmp_path / "plan.toml").write_text('[replies]\nmode = "recorded"\npath = "said.jsonl"')

    assert str(tmp_path / "said.jsonl") == read_plan(tmp_path / "plan.toml").replies.path


def test_a_plan_from_afar_names_no_file() -> None:
    """Whoever may set a plan over the network may not read files of the server's machine."""
    document = {"replies": {"mode": "recorded", "path": "/etc/passwd"}}
    with pytest.raises(PlanError, match=r"replies\.path"):
        plan_from_document(document, files=False)


class OfMyOwn(Fault):
    """A fault that no name in a file can mean."""

    name = "of_my_own"


def test_a_fault_of_my_own_cannot_be_written() -> None:
    """I am told, rather than given a file that cannot be read."""
    with pytest.raises(PlanError, match="unknown fault 'of_my_own'"):
        plan_to_document(FaultPlan(rates=((OfMyOwn(), 0.1),)))
