"""A request that is nearly good is answered or refused, at every endpoint: nothing raises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.server.apis.call import Answered, Call
from chaoscheck.server.apis.routes import path_of, route
from chaoscheck.server.apis.speaker import Echo
from chaoscheck.server.apis.store import Store
from tests.contract.endpoints import ENDPOINTS, Endpoint

POSTED = [
    endpoint
    for endpoint in ENDPOINTS
    if endpoint.requests[-1].body[:1] == b"{" and len(endpoint.requests) == 1
]
# Parameters of any API, in its spelling: each is known somewhere, and here comes with any value.
NAMES = """
    audio background best_of candidateCount conversation dimensions echo encoding_format
    format frequency_penalty function_call functions generationConfig include input
    instructions logit_bias keep_alive logprobs max_completion_tokens max_output_tokens
    max_tokens messages metadata modalities model n options outputDimensionality
    output_config output_format presence_penalty previous_response_id prompt reasoning
    reasoning_effort response_format service_tier stop stop_sequences store stream
    stream_options system systemInstruction temperature text thinking think toolConfig
    tool_choice tools top_k top_logprobs top_p truncation type user role content parts
    requests contents responseMimeType responseSchema responseJsonSchema thinkingConfig
    functionDeclarations maxOutputTokens stopSequences name schema json_schema budget_tokens
""".split()  # noqa: SIM905

leaves = (
    st.none()
    | st.booleans()
    | st.sampled_from([0, 1, -1, 2, 2**31, 2**63, 10**400, 0.5, 1e308, "", "x", "auto", "json"])
    | st.sampled_from(["required", "function", "custom", "json_schema", "enabled", "text", "ANY"])
    | st.text(max_size=4)
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    held = value.items() if isinstance(value, dict) else []
    for step, inner in enumerate(value) if isinstance(value, list) else held:
        yield from _places(inner, (*path, step))


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    step, rest = path[0], path[1:]
    changed = list(value) if isinstance(value, list) else dict(value)
    changed[step] = _replaced(value[step], rest, new)
    return changed


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Endpoint, bytes]:
    """An endpoint's good body with a value replaced, or with parameters more."""
    endpoint = draw(st.sampled_from(POSTED))
    body = json.loads(endpoint.requests[-1].body)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(body))
        path = draw(st.sampled_from(places))
        new = draw(values)
        body = _replaced(body, path, new)
        if isinstance(body, dict) and draw(st.booleans()):
            body = {**body, draw(st.sampled_from(NAMES)): draw(values)}
    return endpoint, json.dumps(body).encode()


def _answered(endpoint: Endpoint, body: bytes) -> Answered:
    """What the endpoint answers to this body."""
    asked = endpoint.requests[-1]
    headers = {key.encode(): value.encode() for key, value in asked.headers.items()}
    found = route(asked.method, asked.target, path_of(asked.target), headers)
    call = Call(
        body=body,
        headers=headers,
        number=1,
        created_s=1_700_000_000,
        key="k",
        attempt=1,
        speaker=Echo(),
        model=found.model,
        query=asked.target.partition("?")[2],
        store=Store(),
    )
    return found.api(call)


@pytest.mark.parametrize("endpoint", POSTED, ids=lambda each: each.name)
def test_null_is_absent_at_every_endpoint(endpoint: Endpoint) -> None:
    """A client that writes null for all that it does not set is answered as if it had not."""
    good = endpoint.requests[-1].body
    body = json.loads(good)
    nulls = dict.fromkeys(NAMES) | body
    said, text = _answered(endpoint, json.dumps(nulls).encode())
    expected, expected_text = _answered(endpoint, good)

    assert (200, expected_text) == (said.status, text)
    assert (expected.body, expected.events) == (said.body, said.events)


@settings(max_examples=300)
@given(mutated())
def test_a_mutated_request_is_answered_or_refused(drawn: tuple[Endpoint, bytes]) -> None:
    """200, or a refusal that says why; what streams has events."""
    endpoint, body = drawn

    answer, said = _answered(endpoint, body)

    assert answer.status in (200, 400, 404)
    if answer.status == 200:
        assert answer.events if answer.streamed else json.loads(answer.body) is not None
    else:
        assert answer.error is not None
        assert (True, None) == (bool(answer.error.message), said)
