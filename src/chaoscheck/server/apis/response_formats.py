"""Response formats of OpenAI's APIs: plain text, any JSON object, or one of a schema."""

from __future__ import annotations

from collections.abc import Mapping

from chaoscheck.server.apis.parameters import mapping, missing, one_of, text
from chaoscheck.server.apis.request_body import BadRequest

__all__ = ["format_schema"]

_FORMATS = ("text", "json_object", "json_schema")
_ANY_OBJECT: Mapping[str, object] = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
}


def format_schema(
    wanted: Mapping[str, object] | None, param: str, *, nested: bool
) -> Mapping[str, object] | None:
    """The schema that a response format demands; None for text.

    It stands under ``json_schema`` where ``nested``, as in chat completions, else beside ``type``.
    """
    if wanted is None:
        return None
    if wanted.get("type") is None:
        raise missing(f"{param}.type")
    kind = one_of(f"{param}.type", wanted["type"], _FORMATS)
    if kind != "json_schema":
        return None if kind == "text" else _ANY_OBJECT
    holder: Mapping[str, object] | None = wanted
    if nested:
        holder = mapping(wanted, "json_schema", f"{param}.")
        param = f"{param}.json_schema"
        if holder is None:
            raise missing(param)
    if text(holder or {}, "name", f"{param}.") is None:
        raise missing(f"{param}.name")
    schema = mapping(holder or {}, "schema", f"{param}.")
    if schema is None and not nested:
        raise missing(f"{param}.schema")
    root = (schema or {}).get("type")
    if root not in (None, "object"):  # answers are objects: what fits another type is never said
        raise BadRequest(
            f"Invalid schema for response format: schema must be a JSON Schema of "
            f"'type: \"object\"', got 'type: \"{str(root)[:40]}\"'.",
            f"{param}.schema",
        )
    return schema or _ANY_OBJECT
