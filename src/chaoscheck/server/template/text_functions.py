"""What a template does with texts: filters and methods, each charged before it is done."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from chaoscheck.server.template.budget import Budget
from chaoscheck.server.template.values import Applied, formatted, text_of

__all__ = ["TEXT_FILTERS", "TEXT_METHODS"]

_STRIPPED_MAX = 100  # characters: stripping looks each of them up for each of the text's
_WORD = re.compile(r"\w+")
_PER_WORD = 16  # characters of a text for each unit of counting its words


def _text(method: Callable[[str], Any]) -> Applied:
    """A method of texts that makes a text at most a few times as long."""

    def apply(budget: Budget, value: Any) -> Any:
        text = text_of(budget, value)
        budget.make_text(len(text))
        made = method(text)
        return budget.made(made) if isinstance(made, str) else made

    return apply


def _padded(method: Callable[[str, int, str], str], width_usual: int) -> Applied:
    def apply(budget: Budget, value: Any, width: int = width_usual, fill: str = " ") -> str:
        text = text_of(budget, value)
        budget.make_text(max(width, len(text)))
        return method(text, width, fill)

    return apply


def _stripped(method: Callable[[str, str | None], str]) -> Applied:
    def apply(budget: Budget, value: Any, chars: str | None = None) -> str:
        text = text_of(budget, value)
        if chars is not None and len(chars) > _STRIPPED_MAX:
            raise ValueError(f"at most {_STRIPPED_MAX} characters can be stripped")
        budget.make_text(len(text))
        return method(text, chars)

    return apply


def _replace(budget: Budget, value: Any, old: Any, new: Any, count: int | None = None) -> str:
    text, old, new = text_of(budget, value), text_of(budget, old), text_of(budget, new)
    budget.search(text, old, new)
    times = text.count(old)
    if count is not None and count >= 0:
        times = min(times, count)
    budget.make_text(len(text) + times * max(len(new) - len(old), 0))
    return text.replace(old, new, times)


def _indent(
    budget: Budget, value: Any, width: int | str = 4, first: bool = False, blank: bool = False
) -> str:
    text = text_of(budget, value)
    budget.look_at(text)
    lines = text.count("\n") + 2
    margin = len(width) if isinstance(width, str) else width
    budget.make_text(len(text) + lines * max(margin, 0))
    space = width if isinstance(width, str) else " " * width
    lead, *rest = text.split("\n")
    indented = [space + line if line or blank else line for line in rest]
    return "\n".join([space + lead if first else lead, *indented])


def _split(budget: Budget, value: Any, between: str | None = None, times: int = -1) -> list[str]:
    text = text_of(budget, value)
    budget.make_text(len(text))
    count = len(text.split(None)) if between is None else text.count(between) + 1
    budget.make_items(count if times < 0 else min(count, times + 1))
    return text.split(between, times)


def _truncate(
    budget: Budget, value: Any, length: int = 255, killwords: bool = False, end: str = "..."
) -> str:
    text = text_of(budget, value)
    if len(text) <= length + 5:  # Jinja2 leaves a text that is hardly too long.
        return text
    budget.make_text(max(length, 0) + len(end))
    kept = text[: max(length - len(end), 0)]
    return (kept if killwords else kept.rsplit(" ", 1)[0]) + end


def _urlencode(budget: Budget, value: Any) -> str:
    text = text_of(budget, value)
    budget.make_text(12 * len(text))  # four bytes of three characters each
    return quote(text, safe="/")


def _wordcount(budget: Budget, value: Any) -> int:
    text = text_of(budget, value)
    budget.spend(1 + len(text) // _PER_WORD)
    return sum([1 for _ in _WORD.finditer(text)])


def _zfill(budget: Budget, value: Any, width: int) -> str:
    text = text_of(budget, value)
    budget.make_text(max(width, len(text)))
    return text.zfill(width)


def _asked(method: Callable[..., Any]) -> Applied:
    """A question about a text and another: ``find``, ``count``, ``startswith``."""

    def apply(budget: Budget, value: Any, other: str) -> Any:
        if not isinstance(other, str):
            raise TypeError("a text is asked about a text")
        budget.search(value, other)
        return method(value, other)

    return apply


def _format(budget: Budget, value: Any, *values: Any, **named: Any) -> str:
    return formatted(budget, text_of(budget, value), named or values)


def _escape(budget: Budget, value: Any) -> str:
    text = text_of(budget, value)
    budget.make_text(len(text))
    return budget.made(html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"))


TEXT_FILTERS: dict[str, Applied] = {
    "capitalize": _text(str.capitalize),
    "center": _padded(str.center, 80),
    "e": _escape,
    "escape": _escape,
    "format": _format,
    "indent": _indent,
    "lower": _text(str.lower),
    "replace": _replace,
    "string": text_of,
    "title": _text(str.title),
    "trim": _stripped(str.strip),
    "truncate": _truncate,
    "upper": _text(str.upper),
    "urlencode": _urlencode,
    "wordcount": _wordcount,
}

TEXT_METHODS: dict[str, Applied] = {
    "capitalize": _text(str.capitalize),
    "center": _padded(str.center, 0),
    "count": _asked(str.count),
    "endswith": _asked(str.endswith),
    "find": _asked(str.find),
    "isalpha": _text(str.isalpha),
    "isdigit": _text(str.isdigit),
    "ljust": _padded(str.ljust, 0),
    "lower": _text(str.lower),
    "lstrip": _stripped(str.lstrip),
    "replace": _replace,
    "rjust": _padded(str.rjust, 0),
    "rstrip": _stripped(str.rstrip),
    "split": _split,
    "splitlines": lambda budget, value: _split(budget, value, "\n"),
    "startswith": _asked(str.startswith),
    "strip": _stripped(str.strip),
    "title": _text(str.title),
    "upper": _text(str.upper),
    "zfill": _zfill,
}
