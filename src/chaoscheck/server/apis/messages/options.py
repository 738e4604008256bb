"""What a message is asked to be beside its text: sampling, and the format of the answer.

The format stands under ``output_config.format``, or under ``output_format`` as in the beta of
structured outputs (Anthropic's API reference, "Messages").
"""

from __future__ import annotations

from collections.abc import Mapping

from chaoscheck.server.apis.request_body import BadRequest

__all__ = ["check_sampling", "schema_of"]

_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_SHARES = ("temperature", "top_p")
_TIERS = ("auto", "standard_only")


def check_sampling(asked: Mapping[str, object]) -> None:
    """Refuse a sampling parameter that is out of its range; the answer is the same in any."""
    for name in _SHARES:
        share = asked.get(name)
        if share is None:
            continue
        if not isinstance(share, int | float) or isinstance(share, bool):
            raise BadRequest(f"{name}: Input should be a valid number", name)
        if share < 0:
            raise BadRequest(f"{name}: Input should be greater than or equal to 0", name)
        if share > 1:
            raise BadRequest(f"{name}: Input should be less than or equal to 1", name)
    top_k = asked.get("top_k")
    if top_k is not None and (not isinstance(top_k, int) or isinstance(top_k, bool)):
        raise BadRequest("top_k: Input should be a valid integer", "top_k")
    if isinstance(top_k, int) and top_k < 0:
        raise BadRequest("top_k: Input should be greater than or equal to 0", "top_k")
    tier = asked.get("service_tier")
    if tier is not None and tier not in _TIERS:
        raise BadRequest("service_tier: Input should be 'auto' or 'standard_only'", "service_tier")


def schema_of(asked: Mapping[str, object]) -> Mapping[str, object] | None:
    """The JSON Schema that the text has to fit; None for any text."""
    config = _object(asked, "output_config", "output_config")
    wanted = None
    if config is not None:
        effort = config.get("effort")
        if effort is not None and effort not in _EFFORTS:
            legal = ", ".join(f"'{name}'" for name in _EFFORTS)
            raise BadRequest(
                f"output_config.effort: Input should be one of {legal}", "output_config"
            )
        wanted = _object(config, "format", "output_config.format")
    beta = _object(asked, "output_format", "output_format")
    if wanted is not None and beta is not None:
        raise BadRequest(
            "output_format: Only one of `output_format` and `output_config.format` may be set",
            "output_format",
        )
    where = "output_format" if wanted is None else "output_config.format"
    wanted = beta if wanted is None else wanted
    return None if wanted is None else _schema(wanted, where)


def _schema(wanted: Mapping[str, object], where: str) -> Mapping[str, object]:
    kind = wanted.get("type")
    if kind is None:
        raise BadRequest(f"{where}.type: Field required", where)
    if kind != "json_schema":
        raise BadRequest(f"{where}.type: Input should be 'json_schema'", where)
    schema = _object(wanted, "schema", f"{where}.schema")
    if schema is None:
        raise BadRequest(f"{where}.schema: Field required", where)
    return schema


def _object(holder: Mapping[str, object], name: str, where: str) -> Mapping[str, object] | None:
    value = holder.get(name)
    if value is not None and not isinstance(value, dict):
        raise BadRequest(f"{where}: Input should be a valid dictionary or object", where)
    return value
