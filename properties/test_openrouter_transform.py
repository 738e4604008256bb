"""What the pipeline machine does not draw: odd rows, odd templates, and every defect of a reply."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck import VirtualWorld
from chaoscheck.components.llm_reply import read_reply
from chaoscheck.components.openrouter_transform import OpenRouterLLMTransform, OpenRouterSettings
from chaoscheck.components.output_port import CollectingOutputPort, RowResult
from chaoscheck.components.query import QueryError
from chaoscheck.stateful.chaos import Chaos
from models.llm_fates import status_fate
from properties.test_llm_pipeline import NO_TLS

Row = Mapping[str, object]
Defect = tuple[str, object, str]  # where in the reply, what stands there instead, its name

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ROWS = st.lists(
    st.dictionaries(st.sampled_from(["text", "name", "0"]), TEXTS | st.integers() | st.none()),
    max_size=4,
)
TEMPLATES = st.sampled_from(
    ["{text}", "{text} {name}", "{text!r:>30}", "{text[0]}", "{text.real}", "{0}", "{}", "{{}}"]
)


# ---------------------------------------------------------------------- rows and templates


@given(template=TEMPLATES, rows=ROWS)
def test_each_row_is_sent_as_its_template_says_or_fails_without_a_request(
    template: str, rows: list[Row]
) -> None:
    """Whatever a row holds, it comes out in its place: with the echo of its prompt, or why not."""
    results, sent = run_rows(template, rows)

    assert list(rows) == [result.row for result in results]
    prompts = [prompt_of(template, row) for row in rows]
    assert len([prompt for prompt in prompts if prompt is not None]) == sent
    for prompt, result in zip(prompts, results, strict=True):
        reason = None if result.error is None else result.error["reason"]
        if prompt is None:
            assert (reason, result.attempts) == ("template_error", 0)
        elif prompt.strip():
            assert (reason, result.content) == (None, prompt)
        else:
            assert reason == "blank_content"


def run_rows(template: str, rows: list[Row]) -> tuple[list[RowResult], int]:
    """What came out for ``rows`` against a good server, and how many requests it saw."""
    output = CollectingOutputPort()
    settings = OpenRouterSettings(model="m", template=template, base_url="http://api.test/v1")
    with VirtualWorld() as world:
        server = Chaos(world).serve()

        async def main() -> None:
            async with (
                httpx.AsyncClient(verify=NO_TLS) as client,
                OpenRouterLLMTransform(client, output=output, settings=settings) as transform,
            ):
                for row in rows:
                    await transform.accept(row)

        world.run(main)
        return output.results, len(list(server.ledger))


def prompt_of(template: str, row: Row) -> str | None:
    """What the template makes of the row; None where they do not fit."""
    try:
        return template.format_map(row)
    except (KeyError, IndexError, AttributeError, ValueError, TypeError):
        return None


# ---------------------------------------------------------------------- replies

GOOD = {
    "id": "1",
    "model": "m",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}
GONE = object()
CHOICE, MESSAGE = "choices/0", "choices/0/message"
REQUIRED = ("model", "choices", f"{CHOICE}/finish_reason", MESSAGE, f"{MESSAGE}/content")
TYPED = (*REQUIRED, CHOICE, "usage", "usage/prompt_tokens", "usage/total_tokens")
FINISHES = {"length": "response_truncated", "content_filter": "content_filtered"}
NOT_A_NUMBER = st.sampled_from([math.nan, math.inf, -math.inf])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(TEXTS, parts, max_size=3),
    max_leaves=5,
)
BLANKS = st.text(" \t\n\r\u00a0\u2003", max_size=4)

DEFECTS: st.SearchStrategy[Defect] = st.one_of(
    st.tuples(st.sampled_from(REQUIRED), st.just(GONE), st.just("missing_field")),
    st.tuples(st.sampled_from(TYPED), st.just(True) | st.just(0.5), st.just("mistyped_field")),
    st.tuples(st.just("usage/total_tokens"), st.integers(max_value=-1), st.just("mistyped_field")),
    st.tuples(st.just("choices"), st.just([]), st.just("empty_choices")),
    st.tuples(st.just(f"{MESSAGE}/content"), st.none(), st.just("null_content")),
    st.tuples(st.just(f"{MESSAGE}/content"), BLANKS, st.just("blank_content")),
    st.tuples(st.sampled_from(["id", *TYPED]), NOT_A_NUMBER, st.just("not_a_number")),
    st.sampled_from([(f"{CHOICE}/finish_reason", text, FINISHES[text]) for text in FINISHES]),
    st.tuples(
        st.just(f"{CHOICE}/finish_reason"),
        TEXTS.filter(lambda text: text not in ("stop", *FINISHES)),
        st.just("unknown_finish_reason"),
    ),
)


def with_defect(path: str, value: object) -> bytes:
    """The good reply as JSON, with ``value`` at ``path``."""
    reply: Any = copy.deepcopy(GOOD)
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    holder = reply
    for step in steps:
        holder = holder[step]
    if value is GONE:
        del holder[last]
    else:
        holder[last] = value
    return json.dumps(reply).encode()


def reason_of(body: bytes, status: int = 200) -> str | None:
    """The reason for which a reply is refused for good; None when it is taken."""
    try:
        read_reply(status=status, headers={}, body=body)
    except QueryError as error:
        return error.reason if error.kind == "permanent" else f"{error.kind}: {error.reason}"
    return None


@given(DEFECTS)
def test_each_defect_of_a_reply_has_its_own_name(defect: Defect) -> None:
    """One thing wrong in an otherwise good reply fails the row for good, by that thing's name."""
    path, value, name = defect

    assert reason_of(json.dumps(GOOD).encode()) is None
    assert name == reason_of(with_defect(path, value))


@given(st.integers(0, len(json.dumps(GOOD)) - 1))
def test_a_reply_that_is_cut_is_not_json(length: int) -> None:
    """No prefix of a good reply passes for a reply."""
    assert reason_of(json.dumps(GOOD).encode()[:length]) == "invalid_json"


@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_body_at_all_makes_the_check_fail(body: bytes) -> None:
    """Whatever a server sends, the answer is a named error and never a crash."""
    assert reason_of(body) in {"invalid_json", "mistyped_field", "missing_field", "not_a_number"}


@given(st.integers(100, 599))
def test_the_status_alone_says_whether_to_try_again(status: int) -> None:
    """Capacity, transient or permanent, as the model has it, for every status there is."""
    body = json.dumps(GOOD).encode()
    if status_fate(status) == "ok":
        assert reason_of(body, status) is None
        return
    with pytest.raises(QueryError) as refused:
        read_reply(status=status, headers={}, body=body)
    assert (status_fate(status), status) == (refused.value.kind, refused.value.status_code)
