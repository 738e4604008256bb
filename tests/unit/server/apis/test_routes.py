"""Which API a request target means."""

from __future__ import annotations

from pathlib import Path

import pytest

import chaoscheck.server
from chaoscheck.server.apis.call import Api
from chaoscheck.server.apis.chat.answer import (
    answer_azure_chat,
    answer_chat,
    answer_openrouter_chat,
)
from chaoscheck.server.apis.embeddings.answer import answer_embeddings
from chaoscheck.server.apis.messages.answer import answer_message
from chaoscheck.server.apis.messages.models import answer_anthropic_model, answer_anthropic_models
from chaoscheck.server.apis.messages.tokens import answer_count_tokens
from chaoscheck.server.apis.models.answer import (
    answer_azure_model,
    answer_azure_models,
    answer_openai_model,
    answer_openai_models,
    answer_openrouter_models,
)
from chaoscheck.server.apis.responses.answer import answer_response
from chaoscheck.server.apis.routes import path_of, route
from chaoscheck.server.providers import ANTHROPIC, AZURE, OPENAI, OPENROUTER, Provider


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


VERSION = "?api-version=2024-02-01"


@pytest.mark.parametrize(
    ("asked", "provider", "api", "model"),
    [
        ("POST /v1/chat/completions", OPENAI, answer_chat, None),
        ("POST /v1/chat/completions?trailing=query", OPENAI, answer_chat, None),
        ("POST /v1/responses", OPENAI, answer_response, None),
        ("POST /v1/embeddings", OPENAI, answer_embeddings, None),
        ("GET /v1/models", OPENAI, answer_openai_models, None),
        ("HEAD /v1/models", OPENAI, answer_openai_models, None),
        ("GET /v1/models/my%20m", OPENAI, answer_openai_model, "my m"),
        ("GET /v1/models/openai/gpt", OPENAI, answer_openai_model, "openai/gpt"),
        ("POST /api/v1/chat/completions", OPENROUTER, answer_openrouter_chat, None),
        ("GET /api/v1/models", OPENROUTER, answer_openrouter_models, None),
        ("POST /v1/messages", ANTHROPIC, answer_message, None),
        ("POST /v1/messages/count_tokens", ANTHROPIC, answer_count_tokens, None),
        (
            f"POST /openai/deployments/my%20gpt/chat/completions{VERSION}",
            AZURE,
            answer_azure_chat,
            "my gpt",
        ),
        (f"POST /openai/deployments/e/embeddings{VERSION}", AZURE, answer_embeddings, "e"),
        (f"POST /openai/responses{VERSION}", AZURE, answer_response, None),
        (f"GET /openai/models{VERSION}", AZURE, answer_azure_models, None),
        (f"GET /openai/models/m{VERSION}", AZURE, answer_azure_model, "m"),
        ("POST /openai/v1/chat/completions", AZURE, answer_azure_chat, None),
        ("POST /openai/v1/chat/completions?api-version=preview", AZURE, answer_azure_chat, None),
        ("POST /openai/v1/responses", AZURE, answer_response, None),
        ("POST /openai/v1/embeddings", AZURE, answer_embeddings, None),
        ("GET /openai/v1/models", AZURE, answer_azure_models, None),
        ("GET /openai/v1/models/m", AZURE, answer_azure_model, "m"),
    ],
)
def test_a_path_leads_to_its_api(
    asked: str, provider: Provider, api: Api, model: str | None
) -> None:
    """Four providers behind one port."""
    method, target = asked.split()

    found = route(method, target, path_of(target))

    assert (provider, api, model, None) == (found.provider, found.api, found.model, found.error)


@pytest.mark.parametrize(
    ("target", "api"),
    [("/v1/models", answer_anthropic_models), ("/v1/models/m", answer_anthropic_model)],
)
def test_a_header_tells_whose_models_are_meant(target: str, api: Api) -> None:
    """OpenAI and Anthropic share the path; Anthropic's clients say which version they speak."""
    found = route("GET", target, target, {b"anthropic-version": b"2023-06-01"})

    assert (ANTHROPIC, api) == (found.provider, found.api)


@pytest.mark.parametrize(
    ("asked", "provider", "status", "allow"),
    [
        ("GET /v1/chat/completions", OPENAI, 405, "POST"),
        ("HEAD /v1/chat/completions", OPENAI, 405, "POST"),
        ("POST /v1/models", OPENAI, 405, "GET"),
        ("PUT /v1/messages", ANTHROPIC, 405, "POST"),
        (f"DELETE /openai/models{VERSION}", AZURE, 405, "GET"),
        ("POST /v1/chat/completions/", OPENAI, 404, None),
        ("POST /", OPENAI, 404, None),
        ("GET /v1/models/", OPENAI, 404, None),
        ("POST /v1/messages/x", ANTHROPIC, 404, None),
        ("POST /api/v1/embedding", OPENROUTER, 404, None),
        ("POST /openai/deployments/a/b/embeddings", AZURE, 404, None),
        ("POST /openai/responses", AZURE, 404, None),
        ("POST /openai/responses?api-version=preview", AZURE, 400, None),
        ("POST /openai/v1/responses?api-version=1", AZURE, 400, None),
    ],
)
def test_what_leads_nowhere_says_so_in_the_providers_words(
    asked: str, provider: Provider, status: int, allow: str | None
) -> None:
    """A wrong path is 404, a wrong method 405 with the right one."""
    method, target = asked.split()

    found = route(method, target, path_of(target))

    assert found.error is not None
    assert (provider, status) == (found.provider, found.error.status)
    assert allow == dict(found.error.headers).get("allow")


@pytest.mark.parametrize(
    ("asked", "only", "provider"),
    [
        ("POST /v1/chat/completions", {"openai"}, OPENAI),
        ("POST /v1/chat/completions", {"azure", "anthropic"}, None),
        ("POST /v1/messages", {"openai"}, None),
        ("GET /v1/models", {"anthropic"}, ANTHROPIC),
        ("GET /v1/models", {"openai"}, OPENAI),
        ("GET /v1/models", {"openrouter"}, None),
        ("POST /openai/v1/responses", {"azure"}, AZURE),
        ("POST /v1/messages", set(), None),
    ],
)
def test_only_the_providers_that_are_served_answer(
    asked: str, only: set[str], provider: Provider | None
) -> None:
    """A server of one provider is nothing but that provider."""
    method, target = asked.split()

    found = route(method, target, target, only=frozenset(only))

    assert (found.error is None) is (provider is not None)
    assert provider in (None, found.provider)
    assert found.error is None or 404 == found.error.status


def test_an_api_is_a_folder_that_is_named_nowhere_else() -> None:
    """A new API is a folder with its places: no file that APIs share names it."""
    server = Path(chaoscheck.server.__file__).parent
    folders = {its.parent for its in (server / "apis").glob("*/routes.py")}
    shared = [module for module in server.rglob("*.py") if folders.isdisjoint(module.parents)]
    named = {
        (folder.name, str(module.relative_to(server)))
        for folder in folders
        for module in shared
        if f".apis.{folder.name}." in module.read_text()
    }

    assert {"chat", "messages"} <= {folder.name for folder in folders}
    assert set() == named


def test_a_path_of_a_method_that_it_has_not_names_those_that_it_has() -> None:
    """The allow header holds every method, once."""
    found = route("PATCH", "/v1/models", "/v1/models")

    assert found.error is not None
    assert "GET" == dict(found.error.headers)["allow"]


@pytest.mark.parametrize(
    ("path", "only", "version", "provider"),
    [
        ("/v2/nowhere", None, False, OPENAI),
        ("/v2/nowhere", None, True, ANTHROPIC),
        ("/v2/nowhere", {"anthropic"}, False, ANTHROPIC),
        ("/v2/nowhere", {"azure"}, False, AZURE),
        ("/v2/nowhere", {"azure"}, True, AZURE),
        ("/v2/nowhere", {"openrouter", "anthropic"}, True, ANTHROPIC),
        ("/v1/messages", {"openai"}, True, OPENAI),
        ("/v1/chat/completions", {"anthropic"}, False, ANTHROPIC),
        ("/api/v2/nowhere", None, True, OPENROUTER),
        ("/openai/nowhere", None, True, AZURE),
        ("/v2/nowhere", set(), False, OPENAI),
    ],
)
def test_an_unknown_path_is_refused_in_the_shape_that_the_client_can_read(
    path: str, only: set[str] | None, version: bool, provider: Provider
) -> None:
    """A client of Anthropic reads Anthropic's error, also where only Anthropic is served."""
    headers = {b"anthropic-version": b"2023-06-01"} if version else {}

    found = route("POST", path, path, headers, only=None if only is None else frozenset(only))

    assert found.error is not None
    assert (provider, 404) == (found.provider, found.error.status)
