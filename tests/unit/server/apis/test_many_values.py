"""JSON of very many values is refused before it is read; long texts with as many commas are not."""

from __future__ import annotations

import json

import pytest

from chaoscheck.server.apis.batches.run import lines_of
from chaoscheck.server.apis.call import Api
from chaoscheck.server.apis.chat.answer import answer_chat
from chaoscheck.server.apis.gemini.answer import answer_generate
from chaoscheck.server.apis.message_batches.answer import answer_create
from chaoscheck.server.apis.ollama.answer import answer_chat as answer_ollama
from chaoscheck.server.apis.request_body import JSON_WORK_MAX, TooManyValues, json_of
from tests.unit.server.apis.calls import ask, chat


@pytest.mark.parametrize(
    ("item", "work"),
    [
        (b"1", 1),
        (b"{}", 6),
        (b"[[[]]]", 16),
        (b'"a,b[{"', 3),
        (b'{"a":"b"}', 10),
        (rb'"\""', 3),
        (rb'"\\"', 3),
        (rb'{"\\\"":"\\"}', 10),
    ],
    ids=["numbers", "objects", "lists", "texts", "members", "quotes", "backslashes", "both"],
)
def test_work_is_counted_outside_of_texts(item: bytes, work: int) -> None:
    """As much as is allowed is read, and more is refused, whatever it is."""
    most = (JSON_WORK_MAX - 5 + 1) // work  # the list itself is 5, its last item has no comma
    fitting = b"[%b]" % b",".join([item] * most)

    read = json_of(fitting)
    assert isinstance(read, list)
    assert most == len(read)
    with pytest.raises(TooManyValues):
        json_of(b"[%b,%b" % (item, fitting[1:]))


def test_a_long_text_may_hold_any_number_of_commas() -> None:
    """A table in a prompt is a text."""
    table = '1,2,"a \\", b"\n' * 200_000
    answer, said = ask(answer_chat, chat(table))

    assert (200, table) == (answer.status, said)


@pytest.mark.parametrize("api", [answer_chat, answer_generate, answer_ollama, answer_create])
def test_a_request_of_too_many_values_is_told_so(api: Api) -> None:
    """The error says what is wrong, whichever API is asked."""
    answer, _ = ask(api, chat("hi") | {"x": [0] * (JSON_WORK_MAX + 1)})

    assert 400 == answer.status
    assert answer.error is not None
    assert (
        "The body of your request has too many values to be read at once." == answer.error.message
    )


def test_a_line_of_a_batch_that_has_too_many_values_is_no_json_line() -> None:
    """The batch fails with the line's number, as for any other line that cannot be read."""
    lines, problems = lines_of(b"[%b]" % b",".join([b"1"] * JSON_WORK_MAX), "/v1/embeddings")

    assert [] == lines
    assert ["invalid_json_line"] == [problem["code"] for problem in problems]


def test_texts_beyond_any_number_are_not_parted_without_end() -> None:
    """What has too many strings has too many values, also where no comma is outside of them."""
    body = json.dumps({"a": ["b,"] * JSON_WORK_MAX}, separators=(", ", ": ")).encode()
    with pytest.raises(TooManyValues):
        json_of(body)
