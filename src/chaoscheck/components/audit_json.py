"""What the audit keeps as JSON: rows as they came in, errors as they went out.

The text is ASCII, so that a lone surrogate is kept, too. A row that JSON cannot hold is refused
by naming its columns and their types; its values appear in no message.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from chaoscheck.components.audit_errors import RowUnstorable

__all__ = ["digest_of", "stored", "stored_as_far_as_possible"]

_DEFECTS = (TypeError, ValueError, RecursionError)

_as_json = json.JSONEncoder(allow_nan=False).encode  # json.dumps would build one for each row


def digest_of(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def stored(row: Mapping[str, object]) -> str:
    """``row`` as JSON. Raise RowUnstorable, which names the columns at fault."""
    if not isinstance(row, Mapping):
        named = type(row).__name__
        raise RowUnstorable(f"a row must be a mapping, got {named}", fields={"(row)": named})
    try:
        if all(type(column) is str for column in row):
            return _as_json(dict(row))
    except _DEFECTS:
        pass
    fields = {_shown(column): _defect(row[column]) for column in row if not _holds(row, column)}
    shown = ", ".join(f"{column} ({defect})" for column, defect in fields.items())
    raise RowUnstorable(f"columns that JSON cannot hold: {shown}", fields=fields)


def stored_as_far_as_possible(record: object) -> str:
    """``record`` as JSON, with ``{"unstorable": type}`` in the place of what JSON cannot hold."""
    if not isinstance(record, Mapping):
        return _as_json({"unstorable": type(record).__name__})
    try:
        return stored(record)
    except RowUnstorable:
        pass
    kept: dict[str, object] = {}
    for column in record:
        if _holds(record, column):
            kept[_shown(column)] = record[column]
        else:
            kept[_shown(column)] = {"unstorable": _defect(record[column])}
    return _as_json(kept)


def _holds(record: Mapping[str, object], column: object) -> bool:
    if type(column) is not str:
        return False
    try:
        _as_json(record[column])
    except _DEFECTS:
        return False
    return True


def _shown(column: object) -> str:
    return column[:80] if isinstance(column, str) else f"a {type(column).__name__} as its name"


def _defect(value: object) -> str:
    """The type at fault, or what is wrong with a value of a good type."""
    return "not a finite number" if isinstance(value, float) else type(value).__name__
