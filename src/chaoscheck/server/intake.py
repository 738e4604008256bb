"""What is looked at before a request means anything: its origin, the media type and the coding
of its body."""

from __future__ import annotations

from chaoscheck.plan.answer import Answer, ApiError
from chaoscheck.server.admin import ADMIN_PREFIX
from chaoscheck.server.apis.routes import path_of, route
from chaoscheck.server.cross_origin import CrossOrigin
from chaoscheck.wire.content_coding import CODINGS, CodingError, coding_of, decoded
from chaoscheck.wire.request_codec import Limits, Request, RequestCodec

__all__ = ["Intake", "decoded_request"]

_JSON = b"application/json"
_MULTIPART = b"multipart/form-data"
_URLENCODED = b"application/x-www-form-urlencoded"
# What a page may send to another site without a preflight (Fetch Standard, 2.2.2).
_OF_FORMS = frozenset({b"text/plain", _MULTIPART, _URLENCODED})


class Intake:
    """Refuses what the pages of other sites send, and bodies of a form where JSON is wanted.

    ``only`` are the providers that are served (None is all). With ``any_path`` a source answers
    paths of which nothing is known: there a form with files is taken.
    """

    def __init__(
        self,
        cross_origin: CrossOrigin,
        *,
        only: frozenset[str] | None = None,
        any_path: bool = False,
    ) -> None:
        self._cross_origin = cross_origin
        self._only = only
        self._any_path = any_path

    def answer(self, request: Request) -> Answer | None:
        """The answer to a request that goes no further: a refusal, or a preflight's (204)."""
        headers = request.headers
        kind = headers.get(b"content-type")
        plain = kind is None or kind == _JSON
        if plain and b"origin" not in headers and b"sec-fetch-site" not in headers:
            return None  # As most are.
        path = path_of(request.target)
        admin = path.startswith(ADMIN_PREFIX)
        refusal = self._cross_origin.refusal(headers, admin=admin)
        if refusal is None and not admin:
            refusal = self._cross_origin.preflight(request)
        if refusal is None and kind is not None and request.method == "POST" and request.body:
            refusal = self._type_refusal(request, path, kind, admin=admin)
        return refusal

    def _type_refusal(
        self, request: Request, path: str, kind: bytes, *, admin: bool
    ) -> Answer | None:
        media = kind.partition(b";")[0].strip().lower()
        if media not in _OF_FORMS or (admin and media == _URLENCODED):
            # No page can send the admin's token without a preflight, so `curl -d` does there.
            return None
        if not admin:
            way = route(request.method, request.target, path, request.headers, only=self._only)
            if way.error is not None and not self._any_path:
                return None  # It leads nowhere, which is said in its place.
            takes_form = way.takes_form or way.error is not None
            if media == (_URLENCODED if way.provider.takes_urlencoded else b""):
                return None
            if media == _MULTIPART and takes_form:
                return None
        shown = media[:100].decode("latin-1")
        message = (
            f"Unsupported Content-Type {shown!r}: send JSON with the header "
            "'Content-Type: application/json'"
        )
        return Answer(
            status=415,
            headers=(("accept-post", "application/json"),),
            error=ApiError(message=message, type="invalid_request_error"),
        )


async def decoded_request(
    request: Request, codec: RequestCodec, limits: Limits
) -> tuple[Request, Answer | None]:
    """The request with its body decoded and without ``Content-Encoding``, or a refusal."""
    headers = request.headers
    try:
        coding = coding_of(headers[b"content-encoding"])
        body = request.body
        if coding is not None:
            body = await decoded(body, coding, limits.body_bytes, codec.hold)
    except CodingError as error:
        known = (("accept-encoding", CODINGS),) if error.status == 415 else ()
        mistake = ApiError(message=str(error), type="invalid_request_error")
        return request, Answer(status=error.status, headers=known, error=mistake)
    kept = {name: value for name, value in headers.items() if name != b"content-encoding"}
    return request._replace(headers=kept, body=body), None
