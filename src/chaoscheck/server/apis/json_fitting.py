"""A small JSON value that fits a JSON Schema, as a function of the schema and a text.

Strings are the text wherever it fits. It knows the keywords of JSON Schema 2020-12 that providers
take in tools and response formats; it makes the required properties only, prefers the first of
several choices and goes no deeper than it must. What cannot be met (a pattern that none of a few
candidates matches, a schema that contradicts itself or is no schema) is met as far as possible.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Mapping
from itertools import islice

from chaoscheck.server.apis.pattern_cost import searcher_of

__all__ = ["fitting"]

_VALUES_MAX = 2_000  # in one document, and no array or text below is longer
_DEPTH_MAX = 24  # of references and nesting; a schema that needs more gets null there
_CHARACTERS_MAX = 1_000_000  # in one document, beside the text once
_WORK_MAX = 50_000  # keywords looked at in one document: some 10 ms
_TRIED_LENGTH_MAX = 8  # characters of what a pattern is tried on
_STEP_MIN = 1e-9  # of a multiple: below it a 64-bit number of any size is one, within rounding
# What a pattern is tried on, beside a short text.
_CANDIDATES = (
    "",
    "a",
    "A",
    "0",
    "aa",
    "AA",
    "00",
    "AAA",
    "000",
    "0000",
    "00000",
    "a0",
    "A0",
    "a-a",
)
_FORMATS = {
    "date": "2000-01-01",
    "date-time": "2000-01-01T00:00:00Z",
    "duration": "PT0S",
    "email": "user@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "00:00:00Z",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_BOUNDS = {
    "minimum": operator.ge,
    "maximum": operator.le,
    "exclusiveMinimum": operator.gt,
    "exclusiveMaximum": operator.lt,
}
_TYPE_OF_KEYWORD = {
    "properties": "object",
    "required": "object",
    "items": "array",
    "prefixItems": "array",
    "minItems": "array",
    "minimum": "number",
    "exclusiveMinimum": "number",
    "multipleOf": "number",
}


def fitting(schema: object, text: str) -> object:
    """A value that fits ``schema``; its strings are ``text`` where that fits."""
    return _Fitting(schema, text).value(schema, 0)


class _Fitting:
    """One document under way: what it may still cost, and where references lead."""

    def __init__(self, root: object, text: str) -> None:
        self._root = root
        self._text = text
        self._values_left = _VALUES_MAX
        self._work_left = _WORK_MAX
        self._characters_left = len(text) + _CHARACTERS_MAX

    def value(self, schema: object, depth: int) -> object:
        """A value for a schema at this depth."""
        self._values_left -= 1
        if depth > _DEPTH_MAX or min(self._values_left, self._work_left) < 0:
            return None
        if not isinstance(schema, dict):
            return {} if depth == 0 else self._once(self._text)
        schema = self._resolved(schema, depth)
        if "const" in schema:
            return self._given(schema["const"])
        choices = schema.get("enum")
        if isinstance(choices, list) and choices:
            return self._given(choices[0])
        return self._of_type(_type_of(schema, depth), schema, depth)

    def _once(self, text: str) -> str:
        """``text``, or nothing once the document has as many characters as it may."""
        self._characters_left -= len(text)
        return text if self._characters_left >= 0 else ""

    def _given(self, value: object) -> object:
        """A value that the schema holds; null once the document is as long as it may be."""
        if self._characters_left >= 0 and isinstance(value, str | list | dict):
            self._characters_left -= len(json.dumps(value))
        return value if self._characters_left >= 0 else None

    def _resolved(self, schema: Mapping[str, object], depth: int) -> Mapping[str, object]:
        # References and alternatives are merged into the schema that holds them. A schema can
        # refer to itself: a chain of references is followed only so far.
        for _ in range(_DEPTH_MAX):
            self._work_left -= len(schema)
            merged = {name: value for name, value in schema.items() if name not in _APPLICATORS}
            for part in self._parts(schema, depth):
                self._work_left -= _size_of(part) + _size_of(merged)
                if self._work_left < 0:
                    return {}
                merged = _merged(merged, part)
            if merged.keys().isdisjoint(_APPLICATORS):
                return merged
            schema = merged
        return {}

    def _parts(self, schema: Mapping[str, object], depth: int) -> list[Mapping[str, object]]:
        parts: list[object] = []
        if isinstance(reference := schema.get("$ref"), str):
            parts.append(self._referred(reference))
        if isinstance(every := schema.get("allOf"), list):
            parts += every
        for name in ("anyOf", "oneOf"):
            if isinstance(alternatives := schema.get(name), list) and alternatives:
                # Deep down the shortest way out is taken: null, where that is a choice.
                parts.append(min(alternatives, key=_is_open) if depth > 1 else alternatives[0])
        return [part for part in parts if isinstance(part, dict)]

    def _referred(self, reference: str) -> object:
        found: object = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            found = found.get(step) if isinstance(found, dict) else None
        return found

    def _of_type(self, kind: str, schema: Mapping[str, object], depth: int) -> object:
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, depth)
        if kind == "string":
            return self._string(schema)
        if kind in ("number", "integer"):
            return _number(schema, whole=kind == "integer")
        return False if kind == "boolean" else None

    def _object(self, schema: Mapping[str, object], depth: int) -> dict[str, object]:
        properties = schema.get("properties")
        known = properties if isinstance(properties, dict) else {}
        required = schema.get("required")
        listed = required if isinstance(required, list) else []
        names = [name for name in listed[:_VALUES_MAX] if isinstance(name, str)]
        least = _count(schema, "minProperties")
        listed_names = set(names)
        more = [name for name in islice(known, _VALUES_MAX) if name not in listed_names]
        names += more[: max(0, least - len(names))]
        names = [name for name in names if self._once(name) == name]
        return {name: self.value(known.get(name, {}), depth + 1) for name in names}

    def _array(self, schema: Mapping[str, object], depth: int) -> list[object]:
        first = schema.get("prefixItems")
        schemas = list(first) if isinstance(first, list) else []
        count = _count(schema, "minItems")
        schemas += [schema.get("items", {})] * (count - len(schemas))
        return [self.value(item, depth + 1) for item in schemas[:count]]

    def _string(self, schema: Mapping[str, object]) -> str:
        written = schema.get("format")
        if isinstance(written, str) and written in _FORMATS:
            return _FORMATS[written]
        least, most = _count(schema, "minLength"), _limit(schema, "maxLength")
        text = self._text if most is None else self._text[: int(max(most, 0))]
        text = text.ljust(least, "a")
        pattern = schema.get("pattern")
        if isinstance(pattern, str):
            text = _matching(pattern, text, least, most)
        return self._once(text)


_APPLICATORS = frozenset({"$ref", "allOf", "anyOf", "oneOf"})


def _merged(one: Mapping[str, object], other: Mapping[str, object]) -> dict[str, object]:
    merged = {**one, **other}
    for name in ("properties", "required"):
        left, right = one.get(name), other.get(name)
        if isinstance(left, dict) and isinstance(right, dict):
            merged[name] = {**left, **right}
        elif isinstance(left, list) and isinstance(right, list):
            # Texts alone are compared, by hash: a client may list a hundred thousand.
            known = {item for item in left if isinstance(item, str)}
            merged[name] = [*left, *[item for item in right if _text_beyond(item, known)]]
    return merged


def _text_beyond(item: object, known: set[str]) -> bool:
    return isinstance(item, str) and item not in known


def _size_of(schema: Mapping[str, object]) -> int:
    """About how much work it is to merge a schema."""
    held = [schema.get("properties"), schema.get("required")]
    return len(schema) + sum([len(each) for each in held if isinstance(each, dict | list)])


def _is_open(schema: object) -> bool:
    return not (isinstance(schema, dict) and schema.get("type") == "null")


def _type_of(schema: Mapping[str, object], depth: int) -> str:
    kind = schema.get("type")
    if isinstance(kind, list) and kind:
        kind = "null" if depth > _DEPTH_MAX // 2 and "null" in kind else kind[0]
    if isinstance(kind, str):
        return kind
    told = next((_TYPE_OF_KEYWORD[name] for name in schema if name in _TYPE_OF_KEYWORD), None)
    return told or ("object" if depth == 0 else "string")


def _limit(schema: Mapping[str, object], name: str) -> float | None:
    value = schema.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return value if abs(value) < 1e15 and math.isfinite(value) else None


def _count(schema: Mapping[str, object], name: str) -> int:
    return min(int(max(_limit(schema, name) or 0, 0)), _VALUES_MAX)


def _number(schema: Mapping[str, object], *, whole: bool) -> float:
    bounds = {name: _limit(schema, name) for name in _BOUNDS}
    step = abs(_limit(schema, "multipleOf") or 0)
    step = step if step >= _STEP_MIN else float(whole)
    ends = [end for end in bounds.values() if end is not None]
    tried = [0, *ends, *[end + 1 for end in ends], *[end - 1 for end in ends]]
    if len(ends) > 1:
        tried.append((min(ends) + max(ends)) / 2)
    if step:
        tried += [
            round(value / step) * step + shift for value in tried for shift in (0, step, -step)
        ]
    for value in tried:
        aligned = not step or math.isclose(value / step, round(value / step))
        whole_enough = not whole or value == int(value)
        if aligned and whole_enough and _within(value, bounds):
            return int(value) if value == int(value) else value
    return 0


def _within(value: float, bounds: Mapping[str, float | None]) -> bool:
    return all(end is None or _BOUNDS[name](value, end) for name, end in bounds.items())


def _matching(pattern: str, text: str, least: int, most: float | None) -> str:
    matches = searcher_of(pattern, _TRIED_LENGTH_MAX)
    if matches is None:
        return text
    short = [text] if len(text) <= _TRIED_LENGTH_MAX else []
    for candidate in (*short, *_CANDIDATES):
        fits = len(candidate) >= least and (most is None or len(candidate) <= most)
        if fits and matches(candidate):
            return candidate
    return text
