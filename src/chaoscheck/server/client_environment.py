"""The environment variables by which unmodified clients find a chaos server.

Each provider names its own variables (``Provider.variables``). Their values are made for the
address of a server, and for the environment around it: what stands there and would lead a client
elsewhere, such as another key or a proxy, is given a value too.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Collection, Mapping
from urllib.parse import urlsplit

from chaoscheck.server.apis.routes import PROVIDERS

__all__ = ["ENVIRONMENT_FORMATS", "client_environment"]

_PROXIES = ("HTTP_PROXY", "ALL_PROXY")
_NO_PROXIES = ("no_proxy", "NO_PROXY")  # most clients look at the small one first
_PLAIN = re.compile(r"[A-Za-z0-9_.,:/@%+=\[\]*-]*", re.ASCII)


def client_environment(
    url: str, providers: Collection[str] | None, around: Mapping[str, str]
) -> dict[str, str]:
    """The variables of clients of these ``providers`` (None is all) at ``url``, in order.

    ``url`` is ``http://host:port``; ``around`` is the environment in which the clients will run.
    """
    found: dict[str, str] = {}
    for provider in PROVIDERS:
        if providers is not None and provider.name not in providers:
            continue
        for variable in provider.variables:
            if not variable.only_in_place or variable.name in around:
                found[variable.name] = variable.value.replace("{url}", url)
    return found | _without_proxy(str(urlsplit(url).hostname), around)


def _without_proxy(host: str, around: Mapping[str, str]) -> dict[str, str]:
    """``NO_PROXY`` in both spellings, where a proxy would be asked for this host."""
    if not any(around.get(name) or around.get(name.lower()) for name in _PROXIES):
        return {}
    exempt = next((around[name] for name in _NO_PROXIES if around.get(name)), "")
    hosts = [each.strip() for each in exempt.split(",") if each.strip()]
    if "*" in hosts:
        return {}
    return dict.fromkeys(_NO_PROXIES, ",".join([*hosts, *([] if host in hosts else [host])]))


def _lines(write: Callable[[str, str], str]) -> Callable[[Mapping[str, str]], str]:
    def text(variables: Mapping[str, str]) -> str:
        return "\n".join(write(name, value) for name, value in variables.items())

    return text


def _fish(name: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{escaped}'"


def _powershell(name: str, value: str) -> str:
    escaped = value.replace("'", "''")
    return f"$env:{name} = '{escaped}'"


def _dotenv(name: str, value: str) -> str:
    # Some readers of such files take quotes for a part of the value.
    return f"{name}={value}" if _PLAIN.fullmatch(value) else f"{name}={json.dumps(value)}"


#: How variables are written, by the name of the format, without a line end behind the last.
ENVIRONMENT_FORMATS: Mapping[str, Callable[[Mapping[str, str]], str]] = {
    "sh": _lines(lambda name, value: f"export {name}={shlex.quote(value)}"),
    "fish": _lines(_fish),
    "powershell": _lines(_powershell),
    "dotenv": _lines(_dotenv),
    "json": lambda variables: json.dumps(dict(variables)),
}
