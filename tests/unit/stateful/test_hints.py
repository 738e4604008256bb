"""An error of a client or of the standard library is told with what it means in a world."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.rules import rule
from chaoscheck.stateful.running import report_of
from tests.unit.stateful.stories import story


async def get(url: str) -> None:
    """One request."""
    async with httpx.AsyncClient(verify=False) as client:
        await client.get(url)


async def sync_httpx() -> None:
    """A blocking client in an async rule."""
    with httpx.Client(verify=False) as client:
        client.get("http://api.test/v1/models")  # noqa: ASYNC212  # that is the mistake


async def urllib_request() -> None:
    """The client of the standard library."""
    urllib.request.urlopen("http://api.test/v1/models")  # noqa: ASYNC210  # that is the mistake


HINTS: dict[str, tuple[Callable[[], Awaitable[Any]], str]] = {
    "https on the port of http": (lambda: get("https://api.test:80/"), "a TLS handshake with a"),
    "https on its own port": (lambda: get("https://api.test/"), "nothing listens on port 443"),
    "a wrong host": (lambda: get("http://apitest/"), "is served in this world; served: api.test"),
    "sync httpx": (sync_httpx, "a sync client blocks the whole world: use httpx.AsyncClient"),
    "urllib": (urllib_request, "a sync client blocks the whole world"),
    "asyncio.sleep": (lambda: asyncio.sleep(1), "rules run on trio: use trio.sleep"),
    "asyncio.Event": (lambda: asyncio.Event().wait(), "rules run on trio"),
}


@pytest.mark.parametrize("what", HINTS)
def test_the_story_has_a_hint(what: str) -> None:
    """One line says what to write instead."""
    call, hint = HINTS[what]

    class Calling(ChaosMachine):
        def setup(self) -> None:
            self.chaos.serve()

        @rule()
        async def ask(self) -> None:
            await call()

    run = replay(Calling, story("ask"), aloud=True)

    (line,) = [each for each in report_of(run) if each.startswith("# hint: ")]
    assert hint in line


def test_an_error_of_the_subject_has_none() -> None:
    """A hint that does not fit is worse than no hint."""

    class Failing(ChaosMachine):
        @rule()
        def fail(self) -> None:
            raise RuntimeError("the pool is closed")

    assert None is replay(Failing, story("fail"), aloud=True).hint
