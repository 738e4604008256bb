"""Embeddings: vectors that depend on their text alone, in both encodings."""

from __future__ import annotations

import base64
import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.server.apis.embeddings.answer import answer_embeddings
from chaoscheck.server.apis.speaker import Echo
from chaoscheck.server.apis.unit_vectors import unit_vector
from tests.unit.server.apis.calls import ask, at, document


def vectors(given: object, **parameters: object) -> list[list[float]]:
    """The vectors of an input."""
    answer, said = ask(answer_embeddings, {"model": "m", "input": given, **parameters})
    assert (200, None) == (answer.status, said)
    return [each["embedding"] for each in document(answer)["data"]]


@given(st.text(), st.integers(1, 50))
def test_a_vector_has_length_one(text: str, dimensions: int) -> None:
    """Cosine similarity needs no more than a product."""
    vector = unit_vector(text, dimensions)

    assert dimensions == len(vector)
    assert math.isclose(1.0, math.fsum([each * each for each in vector]), rel_tol=1e-5)


def test_a_vector_depends_on_its_text_alone() -> None:
    """The same text anywhere gives the same vector, another text another one."""
    first, second, third = vectors(["a", "b", "a"])

    assert first == third == vectors("a")[0]
    assert abs(sum(one * other for one, other in zip(first, second, strict=True))) < 0.5


def test_both_encodings_say_the_same_numbers() -> None:
    """The SDK's base64 decodes to what float says."""
    answer, _ = ask(answer_embeddings, {"model": "m", "input": "a", "encoding_format": "base64"})

    packed = base64.b64decode(document(answer)["data"][0]["embedding"])
    assert vectors("a", encoding_format="float")[0] == array("f", packed).tolist()


@pytest.mark.parametrize(
    ("model", "wanted", "dimensions"),
    [
        ("openai/text-embedding-3-small", None, 1536),  # as OpenRouter names it
        ("m", None, 256),
        ("m", 3, 3),
        ("text-embedding-3-small", None, 1536),
        ("text-embedding-3-small", 512, 512),
        ("text-embedding-3-large", None, 3072),
        ("text-embedding-ada-002", None, 1536),
    ],
)
def test_a_vector_is_as_long_as_asked_for(model: str, wanted: int | None, dimensions: int) -> None:
    """Known models have their own size, others a small one."""
    body = {"model": model, "input": "a", "dimensions": wanted}

    answer, _ = ask(answer_embeddings, body)

    assert dimensions == len(document(answer)["data"][0]["embedding"])


@pytest.mark.parametrize(
    ("given", "count", "tokens"),
    [("a b", 1, 2), (["a b", "c"], 2, 3), ([1, 2, 3], 1, 3), ([[1, 2], [3]], 2, 3)],
)
def test_every_kind_of_input_is_taken(given: object, count: int, tokens: int) -> None:
    """A text, texts, tokens, lists of tokens; each counted in the usage."""
    answer, _ = ask(answer_embeddings, {"model": "m", "input": given})

    said = document(answer)
    assert list(range(count)) == [each["index"] for each in said["data"]]
    assert {"prompt_tokens": tokens, "total_tokens": tokens} == said["usage"]


def test_the_shape_leads_to_the_vector() -> None:
    """Faults find vector, usage and list."""
    answer, _ = ask(answer_embeddings, {"model": "m", "input": "a"}, speaker=Echo(first_token_s=2))

    assert answer.shape is not None
    said = document(answer)
    found = [at(said, path) for path in (answer.shape.content, answer.shape.items)]
    assert [256, 1] == [len(each) for each in found]
    assert (1, 2.0) == (at(said, answer.shape.number), answer.delay_s)


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"model": None}, "model"),
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": [""]}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({"input": [[]]}, "input"),
        ({"input": [-1]}, "input"),
        ({"input": [True]}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": 1.5}, "dimensions"),
        ({"dimensions": 3073}, "dimensions"),
        ({"dimensions": 10**3000}, "dimensions"),
        ({"model": "text-embedding-3-small", "dimensions": 1537}, "dimensions"),
        ({"model": "text-embedding-ada-002", "dimensions": 2}, "dimensions"),
        ({"model": "openai/text-embedding-ada-002", "dimensions": 2}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"user": 1}, "user"),
    ],
)
def test_a_bad_request_is_told_which_parameter_is_wrong(
    parameters: dict[str, object], param: str
) -> None:
    """My client's mistakes are answered as OpenAI answers them."""
    answer, _ = ask(answer_embeddings, {"model": "m", "input": "a"} | parameters)

    assert answer.error is not None
    assert (400, param) == (answer.status, answer.error.param)
