"""The environment variables of clients: for which providers, at which address, in which words."""

from __future__ import annotations

import json
import subprocess

import pytest

from chaoscheck.server.client_environment import ENVIRONMENT_FORMATS, client_environment
from chaoscheck.server.settings import PROVIDERS

URL = "http://127.0.0.1:4711"


def of(*providers: str, url: str = URL, **around: str) -> dict[str, str]:
    """The variables of these providers' clients in an environment of ``around``."""
    return client_environment(url, providers or None, around)


def test_every_provider_has_variables_of_its_own() -> None:
    """A provider whose clients cannot be led here does not ship."""
    each = [of(provider) for provider in PROVIDERS]

    assert all(URL in "".join(variables.values()) for variables in each)
    assert {name for variables in each for name in variables} == set(of())


def test_a_provider_that_is_not_served_keeps_its_variables() -> None:
    """With Anthropic alone, OpenAI's clients go where they went before."""
    assert {
        "ANTHROPIC_BASE_URL": URL,
        "ANTHROPIC_API_KEY": "chaoscheck",
        "ANTHROPIC_API_URL": URL,
        "ANTHROPIC_API_BASE": URL,
    } == of("anthropic", OPENAI_BASE_URL="http://elsewhere/v1", OPENAI_API_BASE="elsewhere")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_API_BASE", f"{URL}/v1"),
        ("AZURE_OPENAI_AD_TOKEN", "chaoscheck"),
        ("ANTHROPIC_AUTH_TOKEN", "chaoscheck"),
        ("GOOGLE_API_KEY", "chaoscheck"),
        ("GOOGLE_GENAI_USE_VERTEXAI", "false"),
        ("GOOGLE_GENAI_USE_ENTERPRISE", "false"),
        ("OLLAMA_API_KEY", "chaoscheck"),
    ],
)
def test_what_would_lead_elsewhere_is_set_where_it_stands(name: str, value: str) -> None:
    """A real key is not sent, and no other address asked; where there is none, none is made."""
    assert name not in of()
    assert value == of(**{name: "true"})[name]


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        ({}, None),
        ({"NO_PROXY": "example.org"}, None),
        ({"HTTP_PROXY": ""}, None),
        ({"HTTP_PROXY": "http://p:1"}, "127.0.0.1"),
        ({"http_proxy": "http://p:1", "NO_PROXY": "a.org, b.org"}, "a.org,b.org,127.0.0.1"),
        ({"ALL_PROXY": "http://p:1", "no_proxy": "a", "NO_PROXY": "b"}, "a,127.0.0.1"),
        ({"all_proxy": "http://p:1", "NO_PROXY": "127.0.0.1"}, "127.0.0.1"),
        ({"HTTP_PROXY": "http://p:1", "no_proxy": "*"}, None),
    ],
)
def test_a_proxy_is_not_asked_for_the_server(around: dict[str, str], expected: str | None) -> None:
    """Behind a company's proxy the server is found all the same; other exemptions stay."""
    found = of(**around)

    assert (expected, expected) == (found.get("NO_PROXY"), found.get("no_proxy"))


def test_an_ipv6_host_is_bracketed_in_urls_and_bare_among_exemptions() -> None:
    """As URLs and NO_PROXY want it."""
    found = of("ollama", "openai", url="http://[::1]:80", HTTP_PROXY="http://p:1")

    assert ("http://[::1]:80/v1", "http://[::1]:80", "::1") == (
        found["OPENAI_BASE_URL"],
        found["OLLAMA_HOST"],
        found["NO_PROXY"],
    )


ODD = {"PLAIN": "http://[::1]:80/v1", "ODD": 'it\'s $HOME\\ "x" `y`', "EMPTY": ""}


@pytest.mark.parametrize(
    ("written_as", "lines"),
    [
        ("fish", ["'http://[::1]:80/v1'", "'it\\'s $HOME\\\\ \"x\" `y`'", "''"]),
        ("powershell", ["'http://[::1]:80/v1'", "'it''s $HOME\\ \"x\" `y`'", "''"]),
        ("dotenv", ["http://[::1]:80/v1", '"it\'s $HOME\\\\ \\"x\\" `y`"', ""]),
    ],
)
def test_a_value_is_quoted_as_its_format_wants(written_as: str, lines: list[str]) -> None:
    """No value is taken for code, whatever stands in it."""
    starts = {"fish": "set -gx {} ", "powershell": "$env:{} = ", "dotenv": "{}="}
    expected = [
        starts[written_as].format(name) + line for name, line in zip(ODD, lines, strict=True)
    ]

    assert expected == ENVIRONMENT_FORMATS[written_as](ODD).split("\n")


def test_a_shell_reads_back_what_is_written_for_it() -> None:
    """``eval`` gives every value as it is."""
    program = ENVIRONMENT_FORMATS["sh"](ODD) + '\nprintf "%s\\n" "$PLAIN" "$ODD" "$EMPTY"'
    said = subprocess.run(["sh", "-c", program], capture_output=True, text=True, check=True)

    assert list(ODD.values()) == said.stdout.split("\n")[:-1]


def test_json_holds_the_variables() -> None:
    """One object, in one line."""
    assert ODD == json.loads(ENVIRONMENT_FORMATS["json"](ODD))
