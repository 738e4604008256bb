"""Faults and distributions as users write them: ``reset_mid_body(after_bytes=17)``.

``repr`` of either is this notation, so what a report prints can be read back. Nothing is
evaluated: the text is parsed, and only literal values are taken from it.
"""

from __future__ import annotations

import ast
import dataclasses
from typing import Any

from chaoscheck.errors import PlanError
from chaoscheck.plan.catalogue import fault_class
from chaoscheck.plan.distributions import DISTRIBUTIONS, Distribution
from chaoscheck.plan.fault import Fault
from chaoscheck.suggestions import meant, unknown_name

__all__ = ["parse_distribution", "parse_fault"]

_LENGTH_MAX = 200  # far above any fault; the parser's recursion stays shallow


def parse_fault(text: str) -> Fault:
    """The fault that ``text`` names, with the parameters it gives and defaults for the rest.

    PlanError for an unknown fault (with the nearest legal name), an unknown parameter, a value
    that is not a literal or out of range, and for text that is no fault at all.
    """
    name, keywords = _split("a fault", text)
    kind = fault_class(name)
    return kind(**_parameters(name, keywords, kind))


def parse_distribution(text: str) -> Distribution:
    """The distribution that ``text`` names, such as ``lognormal(p50_s=0.3, p99_s=2.0)``.

    PlanError for an unknown kind (with the nearest legal name), an unknown or a missing parameter,
    and a value that is not a literal or out of range.
    """
    name, keywords = _split("a distribution", text)
    kinds = {kind.name: kind for kind in DISTRIBUTIONS}
    if name not in kinds:
        raise PlanError(unknown_name("distribution", name, tuple(kinds)))
    kind = kinds[name]
    parameters = _parameters(name, keywords, kind)
    for field in dataclasses.fields(kind):
        if field.default is dataclasses.MISSING and field.name not in parameters:
            raise PlanError(f"{name}: {field.name} is missing")
    return kind(**parameters)


def _parameters(name: str, keywords: list[ast.keyword], kind: type) -> dict[str, Any]:
    legal = [field.name for field in dataclasses.fields(kind)]
    parameters: dict[str, Any] = {}
    for keyword in keywords:
        if keyword.arg not in legal:
            raise PlanError(f"{name} has no parameter {keyword.arg!r}{meant(keyword.arg, legal)}")
        if keyword.arg in parameters:
            raise PlanError(f"{name}: {keyword.arg} is given twice")
        parameters[keyword.arg] = _literal(name, keyword)
    return parameters


def _split(what: str, text: str) -> tuple[str, list[ast.keyword]]:
    tree = None
    if len(text) <= _LENGTH_MAX:
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            tree = None
    match tree:
        case ast.Name(id=name):
            return name, []
        case ast.Call(func=ast.Name(id=name), args=[], keywords=keywords):
            return name, keywords
        case _:
            raise PlanError(
                f"{what} is written name or name(parameter=value, ...), "
                f"in at most {_LENGTH_MAX} characters, got {text[:_LENGTH_MAX]!r}"
            )


def _literal(fault: str, keyword: ast.keyword) -> object:
    try:
        return ast.literal_eval(keyword.value)
    except (ValueError, TypeError):
        raise PlanError(f"{fault}: {keyword.arg} must be a literal value") from None
