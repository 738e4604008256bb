"""Legacy completions, whole and streamed, of each provider that has them; and moderations."""

from __future__ import annotations

from typing import Any

import pytest

from chaoscheck.plan.answer import Answer
from chaoscheck.server.apis.call import Api
from chaoscheck.server.apis.completions.answer import (
    answer_azure_completion,
    answer_completion,
    answer_openrouter_completion,
)
from chaoscheck.server.apis.moderations.answer import CATEGORIES, answer_moderation
from chaoscheck.server.apis.speaker import Echo
from tests.unit.server.apis.calls import ask, document, says

LONG = " ".join(["word"] * 20)


def complete(prompt: object = "hello there", api: Api = answer_completion, **asked: Any) -> Answer:
    """The answer to a prompt, good or not."""
    return ask(api, {"model": "m", "prompt": prompt, **asked})[0]


def choices(prompt: object = "hello there", **asked: Any) -> list[Any]:
    """The choices of a good answer."""
    found: list[Any] = document(complete(prompt, **asked))["choices"]
    return found


def test_a_completion_is_the_echo_of_its_prompt() -> None:
    """The whole document."""
    choice = {"text": "hello there", "index": 0, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}

    assert {
        "id": "cmpl-000007",
        "object": "text_completion",
        "created": 1_700_000_000,
        "model": "m",
        "choices": [choice],
        "usage": usage,
    } == document(complete())


@pytest.mark.parametrize(
    ("asked", "text", "reason"),
    [
        ({}, " ".join(["word"] * 16), "length"),
        ({"max_tokens": 2}, "word word", "length"),
        ({"max_tokens": 99}, LONG, "stop"),
        ({"max_tokens": 0}, "", "length"),
        ({"max_tokens": 1, "echo": True}, f"{LONG}word", "length"),
        ({"stop": " w"}, "word", "stop"),
    ],
)
def test_a_completion_ends_where_it_is_asked_to(
    asked: dict[str, Any], text: str, reason: str
) -> None:
    """After 16 tokens, as OpenAI has it, unless I say otherwise."""
    (choice,) = choices(LONG, **asked)

    assert (text, reason) == (choice["text"], choice["finish_reason"])


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        (["a", "b c"], ["a", "a", "b c", "b c"]),
        ([1, 2], ["1 2", "1 2"]),
        ([[1], [2, 3]], ["1", "1", "2 3", "2 3"]),
        (None, ["<|endoftext|>"] * 2),
    ],
)
def test_each_prompt_is_completed_n_times(prompt: object, texts: list[str]) -> None:
    """In order, whole and streamed; a prompt may be tokens."""
    whole = choices(prompt, n=2)
    chunks = says(complete(prompt, n=2, stream=True))

    assert texts == [choice["text"] for choice in whole]
    for index, text in enumerate(texts):
        mine = [it for chunk in chunks for it in chunk["choices"] if it["index"] == index]
        assert text == "".join([choice["text"] for choice in mine])
        assert [None] * (len(mine) - 1) + ["stop"] == [it["finish_reason"] for it in mine]


def test_a_stream_ends_with_its_usage_and_done() -> None:
    """If I ask for it; other chunks then say null."""
    answer = complete(stream=True, stream_options={"include_usage": True})

    usages = [chunk["usage"] for chunk in says(answer)]
    assert [None, None, None] == usages[:-1]
    assert 4 == usages[-1]["total_tokens"]
    assert b"data: [DONE]\n\n" == answer.events[-1].payload


def test_each_token_has_its_likelihood() -> None:
    """With its place in the text, and as many of the likeliest as I ask for."""
    (choice,) = choices("größer there", logprobs=2)
    streamed = says(complete("größer there", logprobs=2, stream=True), "content")

    likely = choice["logprobs"]
    assert (["größer ", "there"], [0, 7]) == (likely["tokens"], likely["text_offset"])
    assert [2, 2] == [len(each) for each in likely["top_logprobs"]]
    for name, values in likely.items():
        assert values == [
            value for chunk in streamed for value in chunk["choices"][0]["logprobs"][name]
        ]


def test_a_stream_takes_as_long_as_the_whole_answer() -> None:
    """However many prompts there are, they are said at the same time."""
    speaker = Echo(first_token_s=0.5, token_s=0.125)
    asked = {"model": "m", "prompt": ["a b", "a b c"]}

    whole, _ = ask(answer_completion, asked, speaker=speaker)
    streamed, _ = ask(answer_completion, {**asked, "stream": True}, speaker=speaker)

    assert whole.delay_s == sum([event.delay_s for event in streamed.events]) == 0.75


def test_providers_add_what_is_theirs() -> None:
    """Azure its filter, OpenRouter its provider and its ids."""
    azure = document(complete(api=answer_azure_completion))
    openrouter = document(complete(api=answer_openrouter_completion))

    assert "content_filter_results" in azure["choices"][0]
    assert "prompt_filter_results" in azure
    assert ("gen-000007", "chaoscheck") == (openrouter["id"], openrouter["provider"])
    assert "stop" == openrouter["choices"][0]["native_finish_reason"]


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"prompt": 5}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt[1]"),
        ({"logprobs": 6}, "logprobs"),
        ({"n": 129}, "n"),
        ({"n": 128, "prompt": ["a"] * 17}, "n"),
        ({"n": 128, "prompt": "x" * 2**19, "echo": True}, "n"),
        ({"n": 2, "best_of": 1}, "best_of"),
        ({"best_of": 2, "stream": True}, "best_of"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 2**63 - 1}, "max_tokens"),
        ({"suffix": 1}, "suffix"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
    ],
)
def test_what_cannot_be_done_is_refused(asked: dict[str, Any], param: str) -> None:
    """The parameter is named."""
    answer = complete(**asked)

    assert answer.error is not None
    assert (400, param) == (answer.status, answer.error.param)


def test_null_is_absent_for_every_parameter() -> None:
    """A client that writes null for what it does not set is answered as if it had not."""
    names = ["best_of", "echo", "logprobs", "max_tokens", "n", "seed", "stop", "stream", "suffix"]
    nulls: dict[str, Any] = dict.fromkeys(names)

    assert choices() == choices(**nulls)


def moderate(given: object, **asked: Any) -> Any:
    """The document of a good verdict."""
    answer, _ = ask(answer_moderation, {"input": given, **asked})
    assert 200 == answer.status
    return document(answer)


def test_an_input_is_flagged_for_what_it_names() -> None:
    """Every category has both verdicts, for a test that wants them."""
    calm, wild = moderate(["hello", "[violence] and [self-harm/intent]"])["results"]

    assert (False, set()) == (calm["flagged"], {it for it, on in calm["categories"].items() if on})
    flagged = {name for name, on in wild["categories"].items() if on}
    assert (True, {"violence", "self-harm/intent"}) == (wild["flagged"], flagged)
    assert set(CATEGORIES) == set(wild["category_scores"])
    assert all((wild["category_scores"][name] > 0.5) is (name in flagged) for name in CATEGORIES)


def test_parts_of_several_kinds_are_one_input() -> None:
    """Images are judged where a category sees them."""
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    said = moderate([{"type": "text", "text": "[hate]"}, image], model="my-own")

    (verdict,) = said["results"]
    applied = verdict["category_applied_input_types"]
    assert ("my-own", True) == (said["model"], verdict["categories"]["hate"])
    assert (["text"], ["text", "image"]) == (applied["hate"], applied["violence"])


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({}, "input"),
        ({"input": 5}, "input"),
        ({"input": []}, "input"),
        ({"input": [1]}, "input[0]"),
        ({"input": [{"text": "x"}]}, "input[0].type"),
        ({"input": [{"type": "audio"}]}, "input[0].type"),
        ({"input": [{"type": "text"}]}, "input[0].text"),
        ({"input": "x", "model": 5}, "model"),
    ],
)
def test_a_bad_input_is_refused(asked: dict[str, Any], param: str) -> None:
    """The place in the input is named."""
    answer, _ = ask(answer_moderation, asked)

    assert answer.error is not None
    assert (400, param) == (answer.status, answer.error.param)
