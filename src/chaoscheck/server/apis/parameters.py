"""Parameters of a request: of their type and in their range, or refused in OpenAI's words.

Each function takes the object that holds the parameter, its name, and where the object stands in
the request, such as ``tools[0].``; an absent parameter and null are None. BadRequest says what
was expected and what came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from chaoscheck.server.apis.request_body import BadRequest

__all__ = [
    "INTEGER_MAX",
    "array",
    "choice_of",
    "flag",
    "integer",
    "mapping",
    "missing",
    "number",
    "one_of",
    "refuse_unsupported",
    "text",
    "unsupported",
    "wrong_type",
]

#: The largest count that a request may name: no limit of a provider's needs more than 32 bits.
INTEGER_MAX = 2**31 - 1

_KINDS: dict[type, str] = {
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def missing(param: str) -> BadRequest:
    """A parameter is not there."""
    code = "missing_required_parameter"
    return BadRequest(f"Missing required parameter: '{param}'.", param, code)


def wrong_type(param: str, expected: str, value: object) -> BadRequest:
    """A parameter is not ``expected``, such as "an integer"."""
    came = _KINDS.get(type(value), "something else")
    message = f"Invalid type for '{param}': expected {expected}, but got {came} instead."
    return BadRequest(message, param, "invalid_type")


def unsupported(param: str, value: str, legal: Sequence[str]) -> BadRequest:
    """A value that OpenAI knows, and that the models of this server do not support."""
    names = ", ".join([f"'{name}'" for name in legal])
    message = f"Unsupported value: '{param}' does not support '{value}' with this model."
    return BadRequest(f"{message} Supported values are: {names}.", param, "unsupported_value")


def refuse_unsupported(asked: Mapping[str, object], names: Sequence[str]) -> None:
    """Refuse parameters that OpenAI knows, and that the models of this server do not support."""
    for name in names:
        if asked.get(name) is not None:
            message = f"Unsupported parameter: '{name}' is not supported with this model."
            raise BadRequest(message, name, "unsupported_parameter")


def choice_of(asked: Mapping[str, object], name: str, legal: Sequence[str]) -> str | None:
    """A string out of a few, where it is there."""
    value = asked.get(name)
    return None if value is None else one_of(name, value, legal)


def number(asked: Mapping[str, object], name: str, low: float, high: float) -> float | None:
    """A number in [low, high]."""
    value = asked.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise wrong_type(name, "a decimal", value)
    _require_range("decimal", name, value, low, high)
    return value


def integer(
    asked: Mapping[str, object], name: str, low: int, high: int = INTEGER_MAX
) -> int | None:
    """An integer in [low, high]; by default at most what 32 bits say."""
    value = asked.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_type(name, "an integer", value)
    _require_range("integer", name, value, low, high)
    return value


def _require_range(kind: str, param: str, value: float, low: float, high: float) -> None:
    if value < low:
        _refuse_range(kind, param, f"below minimum value. Expected a value >= {low}", value, "min")
    if value > high:
        _refuse_range(kind, param, f"above maximum value. Expected a value <= {high}", value, "max")


def _refuse_range(kind: str, param: str, fault: str, value: float, end: str) -> NoReturn:
    # An integer of JSON may have thousands of digits, which no float holds.
    shown = f"{value:.10g}" if abs(value) < 1e300 else "a huge number"
    message = f"Invalid '{param}': {kind} {fault}, but got {shown} instead."
    side = "below" if end == "min" else "above"
    raise BadRequest(message, param, f"{kind}_{side}_{end}_value")


def flag(asked: Mapping[str, object], name: str, where: str = "") -> bool:
    """A boolean; False where it is absent."""
    value = asked.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong_type(where + name, "a boolean", value)
    return bool(value)


def text(asked: Mapping[str, object], name: str, where: str = "") -> str | None:
    """A string."""
    value = asked.get(name)
    if value is not None and not isinstance(value, str):
        raise wrong_type(where + name, "a string", value)
    return value


def mapping(asked: Mapping[str, object], name: str, where: str = "") -> Mapping[str, object] | None:
    """An object."""
    value = asked.get(name)
    if value is not None and not isinstance(value, dict):
        raise wrong_type(where + name, "an object", value)
    return value


def array(
    asked: Mapping[str, object], name: str, where: str = "", *, length_max: int | None = None
) -> list[object] | None:
    """An array of at most ``length_max`` items."""
    value = asked.get(name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise wrong_type(where + name, "an array", value)
    if length_max is not None and len(value) > length_max:
        raise BadRequest(
            f"Invalid '{where}{name}': array too long. Expected an array with maximum length"
            f" {length_max}, but got an array with length {len(value)} instead.",
            where + name,
            "array_above_max_length",
        )
    return value


def one_of(param: str, value: object, legal: Sequence[str]) -> str:
    """A string out of a few."""
    if not isinstance(value, str):
        raise wrong_type(param, "a string", value)
    if value not in legal:
        names = ", ".join([f"'{name}'" for name in legal])
        message = f"Invalid value: '{value[:100]}'. Supported values are: {names}."
        raise BadRequest(message, param, "invalid_value")
    return value
