"""What a client may find in an answer whose tool calls a fault struck: the good answer, but for it.

An answer is read into ``Said``, whichever API it is: its calls, why it ended, and all the rest.
``complaints`` says in words where what was seen is neither the good answer with this fault, nor
what the API says of a call that it could not read itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["Said", "SaidCall", "complaints"]


class SaidCall(NamedTuple):
    """A call as a client finds it: ``passed`` is a text that should be JSON, or a JSON value."""

    id: str | None
    name: str
    passed: Any


class Said(NamedTuple):
    """An answer: ``ending`` in OpenAI's words, ``rest`` is what else it says, ``unread`` an error.

    ``unread`` is the text that the API says it could not read as a call.
    """

    calls: tuple[SaidCall, ...]
    ending: str
    rest: Any
    unread: str | None = None


def complaints(
    fault: str,
    parameters: Mapping[str, Any],
    good: Said,
    seen: Said,
    schemas: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """What ``seen`` does that the fault does not account for; ``schemas`` are those offered."""
    if seen.unread is not None:
        return _of_unread(fault, good, seen)
    wrong = [] if good.rest == seen.rest else ["something else than calls differs"]
    ending = parameters.get("reason") or parameters.get("ending") or good.ending
    ending = good.ending if ending == "call" else ending
    if ending != seen.ending:
        wrong.append(f"it ends with {seen.ending}, not {ending}")
    if fault == "missing_tool_call":
        return wrong + (["calls are left"] if seen.calls else [])
    if fault == "wrong_finish_reason":
        return wrong + ([] if good.calls == seen.calls else ["calls differ"])
    if fault == "duplicate_tool_call":
        return wrong + _of_duplicate(parameters, good, seen)
    if len(good.calls) != len(seen.calls):
        return [*wrong, f"{len(seen.calls)} calls, not {len(good.calls)}"]
    pairs = [pair for pair in zip(good.calls, seen.calls, strict=True) if pair[0] != pair[1]]
    if len(pairs) != 1:
        return [*wrong, f"{len(pairs)} calls differ, not one"]
    before, after = pairs[0]
    kept = after._replace(name=before.name) if fault == "unknown_tool" else after
    if before != kept._replace(passed=before.passed if fault != "unknown_tool" else kept.passed):
        wrong.append("an id, a name or an argument differs that should not")
    return wrong + _of_call(fault, parameters, before, after, schemas)


def _of_unread(fault: str, good: Said, seen: Said) -> list[str]:
    if seen.calls:
        return ["calls beside an answer that could not be read"]
    texts = [
        json.dumps(call.passed, separators=separators, ensure_ascii=ascii_only)
        for call in good.calls
        for separators in ((",", ":"), (", ", ": "))
        for ascii_only in (True, False)
    ]
    if fault == "truncated_tool_arguments":
        whole = [
            text for text in texts if text.startswith(seen.unread or "") and text != seen.unread
        ]
    else:
        whole = [] if _is_json(seen.unread) else texts
    legal = fault in ("truncated_tool_arguments", "malformed_tool_arguments")
    return [] if legal and whole else [f"{seen.unread!r} is no call that this fault broke"]


def _of_duplicate(parameters: Mapping[str, Any], good: Said, seen: Said) -> list[str]:
    if good.calls != seen.calls[:-1]:
        return ["a call differs, or none is said twice"]
    again = seen.calls[-1]
    repeated = [call for call in good.calls if call == again._replace(id=call.id)]
    if not repeated:
        return ["the last call repeats none"]
    ids = [call.id for call in good.calls]
    if parameters["ids"] == "same":
        return [] if again.id in [call.id for call in repeated] else ["its id is another"]
    return ["its id is not its own"] if again.id is not None and again.id in ids else []


def _of_call(
    fault: str,
    parameters: Mapping[str, Any],
    before: SaidCall,
    after: SaidCall,
    schemas: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    if fault == "unknown_tool":
        return [f"{after.name} was offered"] if after.name in schemas else []
    good, seen = before.passed, after.passed
    if fault == "truncated_tool_arguments":
        length = min(parameters["after_bytes"], len(good.encode()) - 1)
        cut = good.encode()[:length].decode(errors="ignore")
        return [] if seen == cut else [f"{seen!r} is not the prefix {cut!r}"]
    if fault == "malformed_tool_arguments":
        return ["the arguments are JSON"] if _is_json(seen) else []
    if fault == "empty_tool_arguments":
        return [] if seen in ("", {}) else [f"{seen!r} is not empty"]
    text = isinstance(good, str)
    value = json.loads(good) if text else good
    if fault == "unencoded_tool_arguments":
        return [] if text and seen == value else [f"{seen!r} is not the object {value!r}"]
    if fault == "double_encoded_tool_arguments":
        once = json.loads(seen) if text else seen
        whole = isinstance(once, str) and json.loads(once) == value
        return [] if whole else [f"{seen!r} is not {value!r} as a text"]
    return _of_object(fault, value, json.loads(seen) if text else seen, schemas[before.name])


def _of_object(
    fault: str, good: dict[str, Any], seen: dict[str, Any], schema: Mapping[str, Any]
) -> list[str]:
    gone, new = [set(one) - set(two) for one, two in ((good, seen), (seen, good))]
    other = [name for name in good if name in seen and good[name] != seen[name]]
    if fault == "extra_tool_argument":
        fine = len(new) == 1 and not gone and not other and not new & set(schema["properties"])
    elif fault == "missing_tool_argument":
        fine = len(gone) == 1 and not new and not other and gone <= set(schema["required"])
    else:
        fine = len(other) == 1 and not gone and not new
        fine = fine and not _is_of(schema["properties"][other[0]]["type"], seen[other[0]])
    return [] if fine else [f"{seen!r} is not what {fault} makes of {good!r}"]


_TYPES: Mapping[str, Sequence[type]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def _is_of(kinds: str | Sequence[str], value: object) -> bool:
    return any(
        type(value) in _TYPES[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)
    )


def _is_json(text: Any) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
