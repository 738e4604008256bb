"""Lists page by page, as OpenAI and Anthropic choose one: by a limit and a neighbour's id."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

from chaoscheck.server.apis.request_body import BadRequest

__all__ = ["page_of"]


def page_of(
    objects: Sequence[dict[str, Any]],
    query: str,
    *,
    default: int,
    most: int,
    after: str = "after",
    before: str | None = None,
) -> dict[str, Any]:
    """The page that a query asks for, as both providers write one.

    ``after`` and ``before`` name the query's parameters. An id that is not in the list is no
    neighbour: the page then begins with the first object.
    """
    asked = parse_qs(query, keep_blank_values=True)
    limit = _limit(asked.get("limit", [str(default)])[-1], most)
    left = list(objects)
    ids = [each["id"] for each in left]
    if before is not None and (at := _place(ids, asked.get(before))) is not None:
        return _written(left[max(0, at - limit) : at], more=at > limit)
    if (at := _place(ids, asked.get(after))) is not None:
        left = left[at + 1 :]
    return _written(left[:limit], more=len(left) > limit)


def _written(page: list[dict[str, Any]], *, more: bool) -> dict[str, Any]:
    first, last = (page[0]["id"], page[-1]["id"]) if page else (None, None)
    return {"data": page, "first_id": first, "last_id": last, "has_more": more}


def _limit(said: str, most: int) -> int:
    if not re.fullmatch(r"\d{1,9}", said, re.ASCII) or not 1 <= int(said) <= most:
        raise BadRequest(f"limit: must be an integer in [1, {most}], got {said[:40]!r}", "limit")
    return int(said)


def _place(ids: list[str], named: list[str] | None) -> int | None:
    return ids.index(named[-1]) if named and named[-1] in ids else None
