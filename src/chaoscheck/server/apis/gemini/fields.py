"""Fields of Gemini's requests: named in camel case or, as its JSON allows, in snake case.

An absent field and null are None. BadRequest says which field is wrong, and what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from chaoscheck.server.apis.request_body import BadRequest, json_of

__all__ = [
    "field",
    "flag",
    "integer",
    "invalid",
    "number",
    "objects",
    "one_of",
    "parsed",
    "struct",
    "text",
]

_UPPER = re.compile(r"[A-Z]")


def invalid(where: str, expected: str) -> BadRequest:
    """A field is not what was expected."""
    return BadRequest(f"Invalid value at '{where}': {expected}", where)


def parsed(body: bytes) -> Mapping[str, object]:
    """The JSON object of a request."""
    try:
        asked = json_of(body)
    except (ValueError, RecursionError):
        raise BadRequest("Invalid JSON payload received.") from None
    if not isinstance(asked, dict):
        raise BadRequest("Invalid JSON payload received: expected an object.")
    return asked


def field(holder: Mapping[str, object], name: str) -> object:
    """The value of the field of this name, in either spelling."""
    value = holder.get(name)
    return holder.get(_UPPER.sub(lambda it: f"_{it[0].lower()}", name)) if value is None else value


def struct(holder: Mapping[str, object], name: str) -> Mapping[str, object] | None:
    """A field that holds an object."""
    value = field(holder, name)
    if value is not None and not isinstance(value, dict):
        raise invalid(name, "expected an object")
    return value


def objects(holder: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    """A field that holds objects; one alone stands for a list of it, an absent one for none."""
    value = field(holder, name)
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    found: list[Mapping[str, object]] = []
    for at, item in enumerate(items):
        if not isinstance(item, dict):
            raise invalid(f"{name}[{at}]", "expected an object")
        found.append(item)
    return found


def text(holder: Mapping[str, object], name: str) -> str | None:
    """A field that holds a string."""
    value = field(holder, name)
    if value is not None and not isinstance(value, str):
        raise invalid(name, "expected a string")
    return value


def flag(holder: Mapping[str, object], name: str) -> bool:
    """A field that holds a boolean; False where it is absent."""
    value = field(holder, name)
    if value is not None and not isinstance(value, bool):
        raise invalid(name, "expected a boolean")
    return bool(value)


def number(holder: Mapping[str, object], name: str, low: float, high: float) -> float | None:
    """A field that holds a number in [low, high]."""
    value = field(holder, name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise invalid(name, "expected a number")
    if not low <= value <= high:
        raise invalid(name, f"must be in the range [{low:g}, {high:g}]")
    return value


def integer(holder: Mapping[str, object], name: str, low: int, high: int) -> int | None:
    """A field that holds an integer in [low, high]."""
    value = field(holder, name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid(name, "expected an integer")
    if not low <= value <= high:
        raise invalid(name, f"must be in the range [{low}, {high}]")
    return value


def one_of(holder: Mapping[str, object], name: str, legal: Sequence[str]) -> str | None:
    """A field that holds one of a few strings."""
    value = text(holder, name)
    if value is not None and value not in legal:
        raise invalid(name, f"must be one of {', '.join(legal)}, got {value[:100]!r}")
    return value
