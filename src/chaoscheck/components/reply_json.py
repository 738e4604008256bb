"""JSON of a provider, read with suspicion: each defect is a QueryError with its own reason.

A defect of a complete reply is permanent, because the same request would be paid for and fail
again. Beyond what a parser refuses by itself, NaN, infinities and a name that stands twice in one
object are defects: of two values a reader would have to guess (RFC 8259, section 4).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import NoReturn, TypeVar

from chaoscheck.components.query import QueryError

__all__ = ["ReplyJson"]

F = TypeVar("F")

_NAMES: Mapping[type, str] = {dict: "an object", list: "an array", str: "a string", int: "a number"}


class _NotANumber(Exception):
    """JSON held NaN, an infinity, or a number too large for a float."""


class _DuplicateKey(Exception):
    """An object held one name twice."""


class ReplyJson:
    """The documents of one reply with ``status``; every defect found is refused for good."""

    def __init__(self, status: int) -> None:
        self.status = status

    def require_content_type(self, headers: Mapping[str, str], expected: str) -> None:
        """Refuse a reply that says it is something else; one that does not say passes."""
        said = next((text for name, text in headers.items() if name.lower() == "content-type"), "")
        media_type = said.partition(";")[0].strip().lower()
        if media_type and media_type != expected:
            self.refuse("wrong_content_type", f"the reply must be {expected}, got {said!r:.60}")

    def parsed(self, document: bytes, name: str = "the body") -> object:
        """The value of a JSON document in UTF-8."""
        try:
            return json.loads(
                document.decode("utf-8"),
                parse_constant=_refuse_constant,
                parse_float=_finite,
                object_pairs_hook=_unique,
            )
        except _NotANumber as error:
            self.refuse("not_a_number", f"{name} holds {error}")
        except _DuplicateKey as error:
            self.refuse("duplicate_key", f"{name} holds {error} twice")
        except (ValueError, RecursionError) as error:
            self.refuse("invalid_json", f"{name} is not JSON: {error}")

    def field(self, holder: Mapping[str, object], name: str, kind: type[F], path: str) -> F:
        """``holder[name]``, which must be there and of this kind."""
        if name not in holder:
            self.refuse("missing_field", f"{path} is missing")
        return self.typed(holder[name], kind, path)

    def typed(self, value: object, kind: type[F], path: str) -> F:
        """``value``, which must be of this kind; a boolean is no number."""
        if not isinstance(value, kind) or isinstance(value, bool):
            self.refuse(
                "mistyped_field", f"{path} must be {_NAMES[kind]}, got {type(value).__name__}"
            )
        return value

    def refuse(self, reason: str, message: str) -> NoReturn:
        """Raise the permanent QueryError of a defect."""
        raise QueryError(
            message,
            kind="permanent",
            reason=reason,
            error_type="reply_error",
            status_code=self.status,
        ) from None


def _refuse_constant(name: str) -> NoReturn:
    raise _NotANumber(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NotANumber(text[:40])
    return number


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise _DuplicateKey(f"{next(name for name in names if names.count(name) > 1)!r:.40}")
    return made
