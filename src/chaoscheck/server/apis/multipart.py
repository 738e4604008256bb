"""Forms with files, ``multipart/form-data`` (RFC 7578): parts by name, in one linear pass."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chaoscheck.server.apis.request_body import BadRequest

__all__ = ["Part", "form_of"]

_PARTS_MAX = 32
_HEAD_BYTES_MAX = 8_192  # of one part
_BOUNDARY = re.compile(rb'boundary=(?:"([^"]{1,70})"|([^\s";,]{1,70}))', re.IGNORECASE)
_PARAMETER = re.compile(r'(?:^|;)\s*([a-z*]+)="((?:[^"\\]|\\.)*)"', re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a form; only files have a ``filename``."""

    content: bytes
    filename: str | None
    media_type: str

    @property
    def text(self) -> str:
        """The content of a plain field."""
        return self.content.decode("utf-8", "replace")


def form_of(body: bytes, headers: Mapping[bytes, bytes]) -> dict[str, Part]:
    """The parts of a form by name; of two of one name the last. BadRequest if it is no form."""
    kind = headers.get(b"content-type", b"")
    found = _BOUNDARY.search(kind)
    if not kind.lower().startswith(b"multipart/form-data") or found is None:
        raise BadRequest("Invalid Content-Type: expected multipart/form-data with a boundary.")
    boundary = b"\r\n--" + (found[1] or found[2])
    pieces = (b"\r\n" + body).split(boundary, _PARTS_MAX + 2)
    if len(pieces) - 2 > _PARTS_MAX:
        raise BadRequest(f"A form may have {_PARTS_MAX} parts, got more.")
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise BadRequest("Could not parse the multipart form: it has no end.")
    return dict(_part(piece) for piece in pieces[1:-1])


def _part(piece: bytes) -> tuple[str, Part]:
    head, separator, content = piece.partition(b"\r\n\r\n")
    if not separator or len(head) > _HEAD_BYTES_MAX:
        raise BadRequest("Could not parse the multipart form: a part has no head.")
    fields = {}
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    given = {
        name.lower(): re.sub(r"\\(.)", r"\1", value)
        for name, value in _PARAMETER.findall(fields.get("content-disposition", ""))
    }
    if "name" not in given:
        raise BadRequest("Could not parse the multipart form: a part has no name.")
    part = Part(
        content=content,
        filename=given.get("filename"),
        media_type=fields.get("content-type", "text/plain"),
    )
    return given["name"], part
