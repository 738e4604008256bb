"""Lists page by page, as OpenAI and Anthropic choose one: by a limit and a neighbour's id."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

from chaoscheck.server.apis.request_body import BadRequest

__all__ = ["Page", "page_of"]

# The objects of the page, and whether there are more.
Page = tuple[list[dict[str, Any]], bool]


def page_of(
    objects: Sequence[dict[str, Any]],
    query: str,
    *,
    default: int,
    most: int,
    after: str = "after",
    before: str | None = None,
) -> Page:
    """The page that a query asks for; ``after`` and ``before`` name its parameters.

    An id that is not in the list is no neighbour: the page then begins with the first object.
    """
    asked = parse_qs(query, keep_blank_values=True)
    limit = _limit(asked.get("limit", [str(default)])[-1], most)
    left = list(objects)
    ids = [each["id"] for each in left]
    if before is not None and (at := _place(ids, asked.get(before))) is not None:
        return left[max(0, at - limit) : at], at > limit
    if (at := _place(ids, asked.get(after))) is not None:
        left = left[at + 1 :]
    return left[:limit], len(left) > limit


def _limit(said: str, most: int) -> int:
    if not re.fullmatch(r"\d{1,9}", said, re.ASCII) or not 1 <= int(said) <= most:
        raise BadRequest(f"limit: must be an integer in [1, {most}], got {said[:40]!r}", "limit")
    return int(said)


def _place(ids: list[str], named: list[str] | None) -> int | None:
    return ids.index(named[-1]) if named and named[-1] in ids else None
