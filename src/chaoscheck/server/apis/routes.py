"""Routes: which provider's API a request means, or which error it is.

Every folder beside this module is an API, and ``PLACES`` in its ``routes.py`` says where it
stands: this module finds the folders, so that a new one touches nothing else. Where providers
share a path, as OpenAI, Anthropic and Google do, headers of their own clients tell them apart.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote

from chaoscheck.plan.answer import Answer, ApiError
from chaoscheck.server.apis.call import Answered, Api, Call
from chaoscheck.server.apis.place import Place
from chaoscheck.server.providers import AZURE, OPENAI, Provider

__all__ = ["PLACES", "PROVIDERS", "Route", "path_of", "provider_of", "route"]

_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_V1_VERSIONS = ("latest", "preview", "v1")
_NO_HEADERS: Mapping[bytes, bytes] = {}


def _nowhere(call: Call) -> Answered:
    return _unknown_path("", ""), None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a request leads: ``error`` if nowhere; ``model`` is what the path names.

    ``takes_form`` as of its ``Place``.
    """

    provider: Provider
    api: Api = _nowhere
    model: str | None = None
    error: Answer | None = None
    costly: bool = False  # as ``Place.costly``
    takes_form: bool = False


def _places() -> Iterator[Place]:
    package = __name__.rpartition(".")[0]
    found = pkgutil.iter_modules([str(Path(__file__).parent)])
    for name in sorted([module.name for module in found if module.ispkg]):
        yield from importlib.import_module(f"{package}.{name}.routes").PLACES


#: Every place of every API.
PLACES: tuple[Place, ...] = tuple(_places())
#: Every provider that has a place.
PROVIDERS: tuple[Provider, ...] = tuple(
    sorted({place.provider for place in PLACES}, key=lambda it: (it.rank, it.name))
)

# What most requests mean is found in one step.
_POSTED = {
    place.path: Route(
        provider=place.provider,
        api=place.api,
        costly=place.costly,
        takes_form=place.takes_form,
    )
    for place in PLACES
    if place.method == "POST" and "(" not in place.path and place.provider is not AZURE
}
_EXACT: dict[str, list[Place]] = {}
for _place in PLACES:
    if "(" not in _place.path:
        _EXACT.setdefault(_place.path, []).append(_place)
# What two providers share is looked up with its header in view.
for _path, _there in _EXACT.items():
    if len({place.provider for place in _there}) > 1:
        _POSTED.pop(_path, None)
_PATTERNS = [(re.compile(place.path), place) for place in PLACES if "(" in place.path]
_NAMED = [provider for provider in PROVIDERS if provider.client_headers]
_PREFIXES = sorted(
    [(prefix, provider) for provider in PROVIDERS for prefix in provider.prefixes],
    key=lambda it: -len(it[0]),
)


def path_of(target: str) -> str:
    """The path of a request target, without query, decoded; the absolute form is understood."""
    path = target.partition("?")[0]
    if not path.startswith("/") and "://" in path:
        path = "/" + path.partition("://")[2].partition("/")[2]
    return unquote(path) if "%" in path else path


def provider_of(
    path: str,
    headers: Mapping[bytes, bytes] = _NO_HEADERS,
    only: frozenset[str] | None = None,
) -> Provider:
    """Whose error shape a request that leads nowhere is answered in.

    That is the one that its path names, else a header of its own, else OpenAI; where ``only`` is
    given and that one is not served, the first that is.
    """
    meant = _provider_named_by(path)
    if meant is OPENAI:
        meant = next(iter(_senders(headers)), OPENAI)
    if only is None or meant.name in only:
        return meant
    return next((each for each in PROVIDERS if each.name in only), meant)


def _provider_named_by(path: str) -> Provider:
    for prefix, provider in _PREFIXES:
        if path.startswith(prefix):
            return provider
    return OPENAI


def route(
    method: str,
    target: str,
    path: str,
    headers: Mapping[bytes, bytes] = _NO_HEADERS,
    *,
    only: frozenset[str] | None = None,
) -> Route:
    """The route of a request, whose path is ``path_of(target)``.

    ``only`` names the providers that are served; None serves all. Where providers share a path,
    the method decides, and then the headers of the providers' own clients.
    """
    if only is None and method == "POST" and (found := _POSTED.get(path)) is not None:
        return found
    places = [
        (place, model)
        for place, model in _places_at(path)
        if only is None or place.provider.name in only
    ]
    if not places:
        provider = provider_of(path, headers, only)
        return Route(provider=provider, error=_unknown_path(method, path))
    serving = "GET" if method == "HEAD" else method
    senders = _senders(headers)
    # A stable sort: the only provider that is served answers with or without the header.
    place, model = min(
        places, key=lambda at: (at[0].method != serving, _is_meant(at[0].provider, senders))
    )
    if place.method == serving:
        error = _version_error(target.partition("?")[2], place)
        return Route(
            provider=place.provider,
            api=place.api,
            model=model,
            error=error,
            costly=place.costly,
            takes_form=place.takes_form,
        )
    allowed = [other.method for other, _ in places if other.provider is place.provider]
    return Route(provider=place.provider, error=_wrong_method(method, allowed))


def _senders(headers: Mapping[bytes, bytes]) -> list[Provider]:
    """The providers whose own headers a request bears."""
    return [it for it in _NAMED if any(name in headers for name in it.client_headers)]


def _is_meant(provider: Provider, senders: list[Provider]) -> int:
    """0 for a provider that the headers name; where they name none, for those without headers."""
    return int(provider not in senders if senders else bool(provider.client_headers))


def _places_at(path: str) -> Iterator[tuple[Place, str | None]]:
    for place in _EXACT.get(path, ()):
        yield place, None
    for pattern, place in _PATTERNS:
        if (matched := pattern.fullmatch(path)) is not None:
            yield place, matched[1]


def _unknown_path(method: str, path: str) -> Answer:
    message = f"Invalid URL ({method} {path[:200]})"
    return Answer(status=404, error=ApiError(message=message, type="invalid_request_error"))


def _wrong_method(method: str, allowed: list[str]) -> Answer:
    right = ", ".join(sorted(set(allowed)))
    return Answer(
        status=405,
        headers=(("allow", right),),
        error=ApiError(
            message=f"Not allowed to {method} here; allowed: {right}",
            type="invalid_request_error",
            code="method_not_supported",
        ),
    )


def _names_v1(version: str, place: Place) -> bool:
    return not place.needs_version and version in _V1_VERSIONS


def _version_error(query: str, place: Place) -> Answer | None:
    if place.provider is not AZURE:
        return None
    versions = parse_qs(query).get("api-version", [])
    if not versions:
        if not place.needs_version:
            return None
        # Azure says no more than this when the parameter is missing.
        error = ApiError(message="Resource not found", type="invalid_request_error")
        return Answer(status=404, error=error)
    if _API_VERSION.fullmatch(versions[-1]) or _names_v1(versions[-1], place):
        return None
    message = f"api-version must be YYYY-MM-DD or YYYY-MM-DD-preview, got {versions[-1][:40]!r}"
    error = ApiError(message=message, type="invalid_request_error", code="BadRequest")
    return Answer(status=400, error=error)
