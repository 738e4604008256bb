"""Moderations: which categories an input is flagged for.

There is no judgement in it: an input is flagged for a category that it names in square brackets,
such as ``[violence]`` or ``[self-harm/intent]``, so that a test can have both verdicts.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping

from chaoscheck.plan.answer import Answer, Shape
from chaoscheck.server.apis.call import Answered, Call
from chaoscheck.server.apis.parameters import missing, one_of, text, wrong_type
from chaoscheck.server.apis.request_body import BadRequest, parse
from chaoscheck.server.providers import JSON_TYPE

__all__ = ["CATEGORIES", "answer_moderation"]

#: Each category, and whether images are judged by it as well as texts.
CATEGORIES: Mapping[str, bool] = {
    "harassment": False,
    "harassment/threatening": False,
    "hate": False,
    "hate/threatening": False,
    "illicit": False,
    "illicit/violent": False,
    "self-harm": True,
    "self-harm/instructions": True,
    "self-harm/intent": True,
    "sexual": True,
    "sexual/minors": False,
    "violence": True,
    "violence/graphic": True,
}
_MARKS = tuple((name, f"[{name}]") for name in CATEGORIES)
_MODEL = "omni-moderation-latest"
_INPUTS_MAX = 2048
_SURE, _UNSURE = 0.99, 0.0001
_SHAPE = Shape(
    items=("results",),
    content=("results", 0, "flagged"),
    number=("results", 0, "category_scores", "violence"),
)

# An input: its text, and whether there is a text and an image in it.
_Input = tuple[str, bool, bool]


def answer_moderation(call: Call) -> Answered:
    """A verdict on each input; 400 for a bad request."""
    try:
        asked = parse(call.body)
        model = text(asked, "model") or _MODEL
        inputs = _inputs(asked)
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    head = json.dumps({"id": f"modr-{call.number:06d}", "model": model})
    results = ", ".join([_verdict(each) for each in inputs])
    return Answer(
        status=200,
        headers=(JSON_TYPE,),
        body=f'{head[:-1]}, "results": [{results}]}}'.encode("ascii"),
        shape=_SHAPE,
        delay_s=call.pace().whole_s(1),
    ), None


def _verdict(given: _Input) -> str:
    said, has_text, has_image = given
    named = tuple([name for name, mark in _MARKS if mark in said]) if "[" in said else ()
    return _verdict_json(named, has_text, has_image)


@functools.lru_cache(maxsize=64)
def _verdict_json(named: tuple[str, ...], has_text: bool, has_image: bool) -> str:
    # Cached, since a request may have 2 048 inputs, most of which are judged alike.
    flagged = {name: name in named for name in CATEGORIES}
    applied = {
        name: [*(["text"] if has_text else []), *(["image"] if has_image and sees else [])]
        for name, sees in CATEGORIES.items()
    }
    verdict = {
        "flagged": any(flagged.values()),
        "categories": flagged,
        "category_scores": {name: _SURE if it else _UNSURE for name, it in flagged.items()},
        "category_applied_input_types": applied,
    }
    return json.dumps(verdict)


def _inputs(asked: Mapping[str, object]) -> list[_Input]:
    given = asked.get("input")
    if given is None:
        raise missing("input")
    if isinstance(given, str):
        return [(given, True, False)]
    if not isinstance(given, list) or not 1 <= len(given) <= _INPUTS_MAX:
        raise wrong_type("input", f"a string or an array of 1 to {_INPUTS_MAX} items", given)
    if all(isinstance(item, str) for item in given):
        return [(item, True, False) for item in given]
    # Parts of several kinds are one input.
    parts = [_part(item, f"input[{at}]") for at, item in enumerate(given)]
    said = "".join([it for it in parts if it is not None])
    return [(said, any(it is not None for it in parts), None in parts)]


def _part(item: object, where: str) -> str | None:
    """The text of a part; None for an image."""
    if not isinstance(item, dict):
        raise wrong_type(where, "an object", item)
    if item.get("type") is None:
        raise missing(f"{where}.type")
    kind = one_of(f"{where}.type", item["type"], ("text", "image_url"))
    if item.get(kind) is None:
        raise missing(f"{where}.{kind}")
    return text(item, "text", f"{where}.") if kind == "text" else None
