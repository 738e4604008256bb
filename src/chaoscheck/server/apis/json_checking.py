"""Whether a JSON value fits a JSON Schema, as far as providers enforce one in structured output.

It judges types, required and additional properties, items, enum, const, alternatives and
references, and the bounds of numbers, texts and arrays. What it cannot judge (patterns, formats, a
schema that nests too deeply) does not fit, so that a value made to fit takes its place.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping

__all__ = ["fits", "may_fit"]

_DEPTH_MAX = 24
_STEPS_MAX = 5_000  # values judged in one document; who says more has no say
_UNJUDGED = frozenset(
    {
        "contains",
        "dependentRequired",
        "dependentSchemas",
        "format",
        "if",
        "multipleOf",
        "not",
        "pattern",
        "patternProperties",
        "prefixItems",
        "propertyNames",
        "unevaluatedProperties",
        "uniqueItems",
    }
)
_NUMBER_BOUNDS: Mapping[str, Callable[[float, float], bool]] = {
    "minimum": operator.ge,
    "maximum": operator.le,
    "exclusiveMinimum": operator.gt,
    "exclusiveMaximum": operator.lt,
}
_SIZE_BOUNDS: Mapping[type, tuple[str, str]] = {
    str: ("minLength", "maxLength"),
    list: ("minItems", "maxItems"),
    dict: ("minProperties", "maxProperties"),
}

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "array": list,
    "null": type(None),
    "number": (int, float),
    "object": dict,
    "string": str,
}


def fits(schema: object, value: object) -> bool:
    """Whether ``value`` fits ``schema``; False where that cannot be judged."""
    return _Judge(schema, unjudged=False).fits(schema, value, 0)


def may_fit(schema: object, value: object) -> bool:
    """Whether ``value`` may fit ``schema``: what cannot be judged is taken to fit."""
    return _Judge(schema, unjudged=True).fits(schema, value, 0)


class _Judge:
    """One document under judgement: what may still be judged, and where references lead.

    ``unjudged`` is the verdict on what cannot be judged.
    """

    def __init__(self, root: object, *, unjudged: bool) -> None:
        self._root = root
        self._left = _STEPS_MAX
        self._unjudged = unjudged

    def fits(self, schema: object, value: object, depth: int) -> bool:
        """Whether the value at this depth fits."""
        self._left -= 1
        if depth > _DEPTH_MAX or self._left < 0:
            return self._unjudged
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            return self._unjudged
        if not self._unjudged and not _UNJUDGED.isdisjoint(schema):
            return False
        return (
            _is_of_type(schema.get("type"), value)
            and _is_chosen(schema, value)
            and _is_in_bounds(schema, value)
            and self._meets_parts(schema, value, depth)
            and self._holds(schema, value, depth)
        )

    def _meets_parts(self, schema: Mapping[str, object], value: object, depth: int) -> bool:
        reference = schema.get("$ref")
        if isinstance(reference, str) and not self.fits(
            self._referred(reference), value, depth + 1
        ):
            return False
        every = schema.get("allOf")
        if isinstance(every, list) and not all(self.fits(it, value, depth + 1) for it in every):
            return False
        some = schema.get("anyOf")
        if isinstance(some, list) and not any(self.fits(it, value, depth + 1) for it in some):
            return False
        one = schema.get("oneOf")
        if not isinstance(one, list):
            return True
        found = sum([self.fits(it, value, depth + 1) for it in one])
        return found == 1 or (self._unjudged and found > 1)

    def _holds(self, schema: Mapping[str, object], value: object, depth: int) -> bool:
        if isinstance(value, list):
            items = True if "prefixItems" in schema else schema.get("items", True)
            return all(self.fits(items, item, depth + 1) for item in value)
        if not isinstance(value, dict):
            return True
        required = schema.get("required")
        if isinstance(required, list) and any(
            isinstance(name, str) and name not in value for name in required
        ):
            return False
        properties = schema.get("properties")
        known = properties if isinstance(properties, dict) else {}
        patterns = "patternProperties" in schema  # which are not judged, nor what they leave
        others = True if patterns else schema.get("additionalProperties", True)
        return all(
            self.fits(known.get(name, others), held, depth + 1) for name, held in value.items()
        )

    def _referred(self, reference: str) -> object:
        found: object = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            found = found.get(step) if isinstance(found, dict) else None
        return found


def _is_of_type(wanted: object, value: object) -> bool:
    if wanted is None:
        return True
    if isinstance(wanted, list):
        return any(_is_of_type(it, value) for it in wanted)
    if isinstance(value, bool):  # Python's booleans are integers, JSON's are not.
        return wanted == "boolean"
    if wanted == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return isinstance(wanted, str) and isinstance(value, _TYPES.get(wanted, ()))


def _is_chosen(schema: Mapping[str, object], value: object) -> bool:
    if "const" in schema and not _same(schema["const"], value):
        return False
    choices = schema.get("enum")
    return not isinstance(choices, list) or any(_same(choice, value) for choice in choices)


def _same(one: object, other: object) -> bool:
    # As JSON has it: 1 is 1.0, and true is no number, however deep they stand.
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    return one == other


def _is_in_bounds(schema: Mapping[str, object], value: object) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return all(
            holds(value, bound)
            for name, holds in _NUMBER_BOUNDS.items()
            if isinstance(bound := schema.get(name), int | float)
        )
    if not isinstance(value, str | list | dict):
        return True
    low, high = _SIZE_BOUNDS[type(value)]
    least, most = schema.get(low), schema.get(high)
    size = len(value)
    enough = not isinstance(least, int | float) or size >= least
    return enough and (not isinstance(most, int | float) or size <= most)
