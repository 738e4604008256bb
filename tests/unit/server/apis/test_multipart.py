"""Forms with files: read in linear time, and refused where they are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.server.apis.multipart import form_of
from chaoscheck.server.apis.request_body import BadRequest

FORM = {b"content-type": b'multipart/form-data; boundary="a b"'}


def form(*parts: tuple[str, bytes]) -> bytes:
    """A form of parts, each with its head."""
    said = [b"--a b\r\n" + head.encode() + b"\r\n\r\n" + content for head, content in parts]
    return b"\r\n".join([*said, b"--a b--\r\n"])


@given(st.binary(max_size=200), st.text('abc"\\;= ü', min_size=1, max_size=8))
def test_a_file_is_read_as_it_was_written(content: bytes, filename: str) -> None:
    """Byte for byte, whatever it holds, and under any name."""
    written = filename.replace("\\", "\\\\").replace('"', '\\"')
    head = f'Content-Disposition: form-data; name="file"; filename="{written}"\r\nContent-Type: a/b'

    if b"\r\n--a b" in b"\r\n" + content:
        return
    part = form_of(form((head, content)), FORM)["file"]

    assert (content, filename, "a/b") == (part.content, part.filename, part.media_type)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (form(), b"application/json"),
        (form(), b"multipart/form-data"),
        (b"", FORM[b"content-type"]),
        (b"--a b\r\n", FORM[b"content-type"]),
        (b"--a b\r\nno head--a b--", FORM[b"content-type"]),
        (form(("content-type: a/b", b"x")), FORM[b"content-type"]),
        (form(*[('content-disposition: form-data; name="a"', b"x")] * 33), FORM[b"content-type"]),
        (b"--a b" + b"\r\n--a b" * 100_000, FORM[b"content-type"]),
        (form(("content-disposition: " + "a" * 8_200, b"x")), FORM[b"content-type"]),
        (form(("content-disposition: " + "a" * 8_000, b"x")), FORM[b"content-type"]),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, kind: bytes) -> None:
    """Without a type, an end, a head or a name; with too many parts or too long a head."""
    with pytest.raises(BadRequest):
        form_of(body, {b"content-type": kind})
