"""Requests from web pages: refused, unless the server allows their origin (CORS).

A page can send some requests anywhere without asking first: those of a form, or of ``fetch`` with a
form's media type. A browser then says where they come from, and that is looked at here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from chaoscheck.errors import PlanError
from chaoscheck.plan.answer import Answer, ApiError
from chaoscheck.wire.request_codec import Request

__all__ = ["ANY_ORIGIN", "CrossOrigin"]

ANY_ORIGIN = "*"

_ORIGIN = re.compile(r"null|[a-z][a-z0-9+.-]*://(?:\[[0-9a-f:.]+\]|[a-z0-9._~-]+)(?::[0-9]{1,5})?")
_HEADER_NAMES = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,2000}")
_ANSWER_AGE_S = 600  # for which a browser need not ask again
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"


class CrossOrigin:
    """The ``origins`` whose pages may ask, as ``scheme://host[:port]``; ``*`` is any.

    PlanError for what is no origin.
    """

    def __init__(self, origins: Collection[str] = ()) -> None:
        for origin in origins:
            if origin != ANY_ORIGIN and not _ORIGIN.fullmatch(origin):
                raise PlanError(
                    "an origin must be * or scheme://host[:port] in lower case and without a path, "
                    f"got {origin[:100]!r}"
                )
        self._any = ANY_ORIGIN in origins
        self._origins = frozenset(origin.encode("ascii") for origin in origins)

    def refusal(self, headers: Mapping[bytes, bytes], *, admin: bool = False) -> Answer | None:
        """The 403 of a request that a foreign page sent; None for all others.

        No page may send requests of the ``admin``.
        """
        origin = headers.get(b"origin")
        site = headers.get(b"sec-fetch-site", b"").strip().lower()
        if origin is None and site != b"cross-site":
            return None
        if not admin and (self._any or origin in self._origins):
            return None
        shown = "another site" if origin is None else repr(origin[:100].decode("latin-1"))
        how = "" if admin else "; to allow it, start the server with --cors-origin ORIGIN"
        message = f"requests from web pages are refused, this one comes from {shown}{how}"
        return Answer(status=403, error=ApiError(message=message, type="invalid_request_error"))

    def lines(self, headers: Mapping[bytes, bytes]) -> bytes:
        """The header lines by which a browser lets its page read an answer."""
        if self._any:
            return _allowing(b"*")
        if not self._origins:
            return b""
        origin = headers.get(b"origin")
        vary = b"vary: origin\r\n"
        return _allowing(origin) + vary if origin is not None and origin in self._origins else vary

    def preflight(self, request: Request) -> Answer | None:
        """The answer to a browser that asks before it sends; None for all other requests.

        Ask ``refusal`` first.
        """
        headers = request.headers
        if request.method != "OPTIONS" or b"access-control-request-method" not in headers:
            return None
        if b"origin" not in headers or not self._origins:
            return None
        told = [("access-control-allow-methods", _METHODS)]
        asked = headers.get(b"access-control-request-headers")
        if asked is not None and _HEADER_NAMES.fullmatch(asked):
            told.append(("access-control-allow-headers", asked.decode("ascii")))
        if headers.get(b"access-control-request-private-network") == b"true":
            told.append(("access-control-allow-private-network", "true"))
        told.append(("access-control-max-age", str(_ANSWER_AGE_S)))
        return Answer(status=204, headers=tuple(told))


def _allowing(origin: bytes) -> bytes:
    return b"access-control-allow-origin: %b\r\naccess-control-expose-headers: *\r\n" % origin
