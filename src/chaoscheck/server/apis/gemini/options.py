"""How Gemini is asked to generate: limits, formats, candidates, likelihoods and thoughts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chaoscheck.server.apis.gemini.fields import (
    field,
    flag,
    integer,
    invalid,
    number,
    one_of,
    struct,
)
from chaoscheck.server.apis.request_body import BadRequest

__all__ = ["Options", "options_of", "standard_schema"]

_TOKENS_MAX = 2**31 - 1
_CANDIDATES_MAX = 8
_LOGPROBS_MAX = 20
_STOPS_MAX = 5
_TYPES = ("text/plain", "application/json", "text/x.enum")
_ANY_OBJECT: Mapping[str, object] = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``limit`` is in tokens; a text has to fit ``schema``, as a bare value where ``enum``.

    ``logprobs`` is how many likeliest tokens are said of each; None says nothing of likelihood.
    """

    limit: int | None
    stops: tuple[str, ...]
    candidates: int
    schema: Mapping[str, object] | None
    enum: bool
    logprobs: int | None
    thoughts: bool


def options_of(config: Mapping[str, object]) -> Options:
    """What a ``generationConfig`` says; BadRequest where it is malformed or out of range."""
    number(config, "temperature", 0, 2)
    number(config, "topP", 0, 1)
    number(config, "topK", 0, 1_000)
    number(config, "presencePenalty", -2, 2)
    number(config, "frequencyPenalty", -2, 2)
    integer(config, "seed", -(2**31), 2**31 - 1)
    _refuse_other_modalities(config)
    kind = one_of(config, "responseMimeType", _TYPES) or "text/plain"
    schema = _schema(config)
    if schema is not None and kind == "text/plain":
        raise BadRequest(
            "* GenerateContentRequest.generation_config.response_schema: response_schema requires"
            " a response_mime_type of application/json or text/x.enum",
            "responseSchema",
        )
    if kind == "application/json" and schema is None:
        schema = _ANY_OBJECT
    if kind == "text/x.enum" and (schema is None or "enum" not in schema):
        raise invalid("responseSchema", "text/x.enum needs a schema with an enum")
    thinking = struct(config, "thinkingConfig") or {}
    integer(thinking, "thinkingBudget", -1, 32_768)
    return Options(
        limit=integer(config, "maxOutputTokens", 1, _TOKENS_MAX),
        stops=_stops(config),
        candidates=integer(config, "candidateCount", 1, _CANDIDATES_MAX) or 1,
        schema=schema,
        enum=kind == "text/x.enum",
        logprobs=_logprobs(config),
        thoughts=flag(thinking, "includeThoughts") and field(thinking, "thinkingBudget") != 0,
    )


def standard_schema(schema: Mapping[str, object]) -> Mapping[str, object]:
    """One of Google's schemas, whose types are in capitals, as JSON Schema."""
    standard = {name: _standard(name, value) for name, value in schema.items()}
    if standard.pop("nullable", False) is True and "type" in standard:
        standard["type"] = [standard["type"], "null"]
    return standard


def _standard(name: str, value: object) -> object:
    if name == "type" and isinstance(value, str):
        return value.lower()
    if name == "properties" and isinstance(value, dict):
        return {each: _standard("", held) for each, held in value.items()}
    if name in ("enum", "required", "example", "default"):
        return value
    if isinstance(value, dict):
        return standard_schema(value)
    return [_standard("", item) for item in value] if isinstance(value, list) else value


def _refuse_other_modalities(config: Mapping[str, object]) -> None:
    modalities = field(config, "responseModalities")
    if modalities is not None and not isinstance(modalities, list):
        raise invalid("responseModalities", "expected a list")
    if any(it not in ("TEXT", "MODALITY_UNSPECIFIED") for it in modalities or []):
        raise BadRequest(
            "Model does not support the requested response modalities: only TEXT.",
            "responseModalities",
        )
    for name in ("speechConfig", "imageConfig"):
        if field(config, name) is not None:
            raise invalid(name, "is not supported by this model")


def _schema(config: Mapping[str, object]) -> Mapping[str, object] | None:
    own = struct(config, "responseSchema")
    standard = struct(config, "responseJsonSchema") or struct(config, "_responseJsonSchema")
    if own is not None and standard is not None:
        raise invalid("responseJsonSchema", "cannot be set together with responseSchema")
    return standard if own is None else standard_schema(own)


def _stops(config: Mapping[str, object]) -> tuple[str, ...]:
    given = field(config, "stopSequences")
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(stop, str) for stop in given):
        raise invalid("stopSequences", "expected a list of strings")
    if len(given) > _STOPS_MAX:
        raise invalid("stopSequences", f"at most {_STOPS_MAX} are allowed")
    return tuple([stop for stop in given if stop])


def _logprobs(config: Mapping[str, object]) -> int | None:
    top = integer(config, "logprobs", 0, _LOGPROBS_MAX)
    if flag(config, "responseLogprobs"):
        return top or 0
    if top:
        raise invalid("logprobs", "may only be set together with responseLogprobs")
    return None
