"""A good request to every endpoint of the server, whole and, where there are any, streamed.

An endpoint is a place of a provider; its example may need requests before it, that make what it
names. An API without an example here fails ``test_every_endpoint``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from chaoscheck.server.apis.place import Place
from chaoscheck.server.apis.routes import PLACES
from chaoscheck.server.providers import ANTHROPIC, AZURE

__all__ = ["ENDPOINTS", "Asked", "Endpoint"]

TEXT = "one two three"
_MESSAGES = [{"role": "user", "content": TEXT}]
_MESSAGE = {"model": "m", "max_tokens": 9, "messages": _MESSAGES}
_CONTENT = {"parts": [{"text": TEXT}]}
_CONTENTS = {"contents": [_CONTENT]}
_BATCHED = {"custom_id": "a", "method": "POST", "url": "/v1/embeddings"}
_LINE = json.dumps({**_BATCHED, "body": {"model": "m", "input": TEXT}})
_FORM = (
    '--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    '--x\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n'
    f"{_LINE}\r\n--x--\r\n"
)
_FORM_TYPE = {"content-type": "multipart/form-data; boundary=x"}

# What is posted, by how its path ends; where it is a list, the last one may be streamed as well.
_BODIES: Mapping[str, object] = {
    "/chat/completions": {"model": "m", "messages": _MESSAGES},
    "/completions": {"model": "m", "prompt": TEXT},
    "/embeddings": {"model": "m", "input": TEXT},
    "/moderations": {"input": TEXT},
    "/responses": {"model": "m", "input": TEXT},
    "/responses/input_tokens": {"input": TEXT},
    "/v1/messages": _MESSAGE,
    "/count_tokens": _MESSAGE,
    "/messages/batches": {"requests": [{"custom_id": "a", "params": _MESSAGE}]},
    ":generateContent": _CONTENTS,
    ":streamGenerateContent": _CONTENTS,
    ":countTokens": _CONTENTS,
    ":embedContent": {"content": _CONTENT},
    ":batchEmbedContents": {"requests": [{"content": _CONTENT}]},
    "/api/chat": {"model": "m", "messages": _MESSAGES, "stream": False},
}
_STREAMED = ("/chat/completions", "/completions", "/responses", "/v1/messages", "/api/chat")
_GROUPS = ("([^/]+)", "([^/:]+)", "(.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request; ``ID`` in its target or body is the id in the answer to the one before."""

    method: str
    target: str
    body: bytes = b""
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint by ``name``: the last request is its own, those before make what it needs."""

    name: str
    place: Place
    requests: tuple[Asked, ...]


def _own_headers(place: Place) -> dict[str, str]:
    if place.provider is ANTHROPIC:
        return {"anthropic-version": "2023-06-01"}
    return {"x-goog-api-key": "k"} if place.provider.name == "gemini" else {}


def _asked(place: Place, path: str, method: str, body: object = None, query: str = "") -> Asked:
    if place.provider is AZURE and place.needs_version:
        query = f"{query}&api-version=2024-10-21" if query else "api-version=2024-10-21"
    headers = _own_headers(place)
    content = b"" if body is None else json.dumps(body).encode()
    if body is _FORM:
        content, headers = _FORM.encode(), headers | _FORM_TYPE
    target = f"{path}?{query}" if query else path
    return Asked(method=method, target=target, body=content, headers=headers)


def _making(place: Place, path: str) -> list[Asked]:
    """The requests that make the object which a path names."""
    for collection in ("/files", "/messages/batches", "/batches", "/responses"):
        if f"{collection}/" in path:
            base = path.partition(f"{collection}/")[0] + collection
            break
    else:
        return []
    if base.endswith("/files"):
        return [_asked(place, base, "POST", _FORM)]
    if base.endswith("/messages/batches"):
        made = [_asked(place, base, "POST", _BODIES["/messages/batches"])]
        ended = path.endswith("/results") or place.method == "DELETE"
        return made + [_asked(place, f"{base}/ID", "GET")] * (2 if ended else 0)
    if base.endswith("/batches"):
        return _batch(place, base)
    body = {"model": "m", "input": TEXT, "background": path.endswith("/cancel")}
    return [_asked(place, base, "POST", body)]


def _batch(place: Place, base: str) -> list[Asked]:
    file = _asked(place, base.removesuffix("/batches") + "/files", "POST", _FORM)
    asked = {"input_file_id": "ID", "endpoint": "/v1/embeddings", "completion_window": "24h"}
    return [file, _asked(place, base, "POST", asked)]


def _endpoints(place: Place) -> list[Endpoint]:
    path, named = place.path, "m"
    before = _making(place, path)
    if before:
        named = "ID"
    elif place.provider is ANTHROPIC:
        named = "claude-haiku-4-5"  # Anthropic knows no model but its own.
    for group in _GROUPS:
        path = path.replace(group, named)
    name = f"{place.provider.name} {place.method} {path}"
    if path.endswith("/batches") and place.provider is not ANTHROPIC and place.method == "POST":
        return [Endpoint(name=name, place=place, requests=tuple(_batch(place, path)))]
    body: object = None
    ending = ""
    if place.method == "POST":
        ending = max((it for it in _BODIES if path.endswith(it)), key=len, default="")
        body = _FORM if path.endswith("/files") else _BODIES.get(ending)
    requests = (*before, _asked(place, path, place.method, body))
    found = [Endpoint(name=name, place=place, requests=requests)]
    if ending in _STREAMED and isinstance(body, dict):
        streamed = _asked(place, path, "POST", {**body, "stream": True})
        found.append(Endpoint(name=f"{name} streamed", place=place, requests=(streamed,)))
    if ending == ":streamGenerateContent":
        events = _asked(place, path, "POST", body, "alt=sse")
        found.append(Endpoint(name=f"{name} events", place=place, requests=(events,)))
    return found


ENDPOINTS: tuple[Endpoint, ...] = tuple([it for place in PLACES for it in _endpoints(place)])
