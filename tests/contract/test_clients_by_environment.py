"""Unmodified clients, made without arguments, find the server that the environment names."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import anthropic
import ollama
import openai
import pytest
from google import genai

from chaoscheck.server.client_environment import client_environment
from chaoscheck.server.settings import PROVIDERS
from chaoscheck.server.threaded import ThreadedServer
from tests.architecture.checkout import ROOT
from tests.contract.client_programs import CannotRun, command_beside

TEXT = "hello there"
MESSAGES: list[Any] = [{"role": "user", "content": TEXT}]
VARIABLES = sorted(client_environment("http://x", None, {}))


def ask_openai() -> str | None:
    """openai's client of OpenAI."""
    with openai.OpenAI() as client:
        return (
            client.chat.completions.create(model="m", messages=MESSAGES).choices[0].message.content
        )


def ask_azure() -> str | None:
    """openai's client of Azure."""
    with openai.AzureOpenAI() as client:
        return (
            client.chat.completions.create(model="d", messages=MESSAGES).choices[0].message.content
        )


def ask_openrouter() -> str | None:
    """openai's client, with OpenRouter's variables, as its users write it."""
    where = os.environ["OPENROUTER_BASE_URL"]
    with openai.OpenAI(base_url=where, api_key=os.environ["OPENROUTER_API_KEY"]) as client:
        return (
            client.chat.completions.create(model="m", messages=MESSAGES).choices[0].message.content
        )


def ask_anthropic() -> str | None:
    """Anthropic's."""
    with anthropic.Anthropic() as client:
        block: Any = client.messages.create(model="m", max_tokens=9, messages=MESSAGES).content[0]
    return str(block.text)


def ask_gemini() -> str | None:
    """Google's."""
    with genai.Client() as client:
        return client.models.generate_content(model="gemini-2.0-flash", contents=TEXT).text


def ask_ollama() -> str | None:
    """Ollama's."""
    client = ollama.Client()
    try:
        return client.chat(model="llama3.2", messages=MESSAGES).message.content
    finally:
        client._client.close()


CLIENTS: dict[str, Callable[[], str | None]] = {
    "openai": ask_openai,
    "azure": ask_azure,
    "openrouter": ask_openrouter,
    "anthropic": ask_anthropic,
    "gemini": ask_gemini,
    "ollama": ask_ollama,
}


@pytest.fixture(params=["as it is", "hostile"])
def around(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a machine as it is, and of one whose variables lead elsewhere."""
    if request.param == "hostile":
        nowhere = "http://127.0.0.1:9"
        for name in (*VARIABLES, "OPENAI_API_BASE", "HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, nowhere)
        for name in ("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
            monkeypatch.setenv(name, "true")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
    return dict(os.environ)


@pytest.fixture
def server(around: dict[str, str], chaos_server_env: ThreadedServer) -> ThreadedServer:
    """The server of the fixture, in either environment."""
    assert around != dict(os.environ)
    return chaos_server_env


def test_the_client_of_every_provider_is_tried() -> None:
    """A provider that is served is one whose clients find it."""
    assert list(PROVIDERS) == list(CLIENTS)


def test_clients_without_arguments_reach_the_server(server: ThreadedServer) -> None:
    """Each asks the provider that it means, whatever stood in the environment before.

    Slow (0.6 s): six clients are made, each with a CA bundle.
    """
    for name, ask in CLIENTS.items():
        assert TEXT == ask(), name

    assert list(CLIENTS) == [exchange.provider for exchange in server.ledger]


@pytest.mark.chaos(providers=["anthropic"], status_529=1.0)
def test_the_marker_says_whose_variables_are_set(
    around: dict[str, str], chaos_server_env: ThreadedServer
) -> None:
    """Only those of the providers that are served; and the plan is the marker's."""
    changed = {name for name, value in os.environ.items() if around.get(name) != value}

    assert "ANTHROPIC_BASE_URL" in changed
    assert not {name for name in changed if name.startswith(("OPENAI", "OLLAMA", "GEMINI"))}
    with anthropic.Anthropic(max_retries=0) as client, pytest.raises(anthropic.APIStatusError):
        client.messages.create(model="m", max_tokens=9, messages=MESSAGES)


@pytest.mark.skipif(
    not os.environ.get("CHAOSCHECK_CI"), reason="imports for six seconds of CPU: CHAOSCHECK_CI=1"
)
def test_other_libraries_find_it_too() -> None:
    """litellm, LangChain and pydantic-ai, for every provider that they know.

    Slow (8 s): they take six seconds of CPU to import.
    """
    try:
        command = command_beside("by_environment")
    except CannotRun as error:
        pytest.skip(str(error))
    local = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LANGSMITH_TRACING": "false"}
    with ThreadedServer() as server:
        environment = {**os.environ, **server.environment(), **local}
        ran = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        asked = {exchange.provider for exchange in server.ledger if exchange.status == 200}

    assert 0 == ran.returncode, ran.stderr
    said = json.loads(ran.stdout.splitlines()[-1])
    assert dict.fromkeys(said, "hello") == said
    assert 11 == len(said)
    assert set(CLIENTS) == asked
