"""Which API a request target means."""

from __future__ import annotations

import pytest

from chaoscheck.server.providers import AZURE, OPENAI, OPENROUTER, Provider
from chaoscheck.server.routes import path_of, route


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a?b=/c", "/a"),
        ("/a%20b", "/a b"),
        ("http://host:1/a?x", "/a"),
        ("http://[/a", "/a"),
        ("http://host", "/"),
        ("*", "*"),
        ("host:443", "host:443"),
    ],
)
def test_a_path_is_found_in_every_form_of_target(target: str, path: str) -> None:
    """Proxies send the absolute form; CONNECT and OPTIONS have their own."""
    assert path == path_of(target)


@pytest.mark.parametrize(
    ("target", "provider", "model"),
    [
        ("/v1/chat/completions", OPENAI, None),
        ("/api/v1/chat/completions", OPENROUTER, None),
        ("/openai/deployments/my%20gpt/chat/completions?api-version=2024-02-01", AZURE, "my gpt"),
    ],
)
def test_a_path_leads_to_its_provider(target: str, provider: Provider, model: str | None) -> None:
    """Three providers behind one port."""
    found = route("POST", target, path_of(target))

    assert (provider, model, None) == (found.provider, found.model, found.error)
