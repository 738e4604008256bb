"""The exception classes of the library that a client of ours stands in for: httpx or httpx2."""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import ModuleType
from typing import Self

__all__ = ["ClientErrors"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientErrors:
    """One class per way in which a request can fail, with the names that httpx gives them."""

    connect_error: type[Exception]
    connect_timeout: type[Exception]
    local_protocol_error: type[Exception]
    pool_timeout: type[Exception]
    read_error: type[Exception]
    read_timeout: type[Exception]
    remote_protocol_error: type[Exception]
    unsupported_protocol: type[Exception]
    write_error: type[Exception]
    write_timeout: type[Exception]

    @classmethod
    def of(cls, library: ModuleType) -> Self:
        """The classes of ``library``, such as ``httpx.ConnectError`` for ``connect_error``."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: getattr(library, _class_name(name)) for name in names})


def _class_name(field_name: str) -> str:
    return field_name.title().replace("_", "")
