"""A file that the server keeps for OpenAI's and Azure's APIs: its object and its content."""

from __future__ import annotations

from dataclasses import dataclass

from chaoscheck.server.apis.call import Call

__all__ = ["KIND", "KeptFile", "file_of", "keep_file"]

KIND = "files"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """``about`` is the file's object as the API says it."""

    about: dict[str, object]
    content: bytes


def keep_file(
    call: Call, name: str, content: bytes, *, filename: str, purpose: str
) -> dict[str, object]:
    """Keep a file; its object."""
    about: dict[str, object] = {
        "id": name,
        "object": "file",
        "bytes": len(content),
        "created_at": call.created_s,
        "expires_at": None,
        "filename": filename,
        "purpose": purpose,
        "status": "processed",
        "status_details": None,
    }
    if call.store is not None:
        call.store.shelf(KIND).put(name, KeptFile(about=about, content=content), len(content))
    return about


def file_of(call: Call, name: str | None) -> KeptFile | None:
    """The file of that id, if it is kept."""
    found: KeptFile | None = None if call.store is None else call.store.shelf(KIND).get(name)
    return found
