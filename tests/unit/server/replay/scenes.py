"""Scenes of record and replay: a provider, a recorder in front of it and clients, in one world."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx

from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.replay.recording_file import RecordingFile, read_recording
from chaoscheck.server.replay.replay import Replay
from chaoscheck.server.replay.source import AnswerSource
from chaoscheck.server.replay.upstream import Upstream
from chaoscheck.server.settings import ServerSettings
from chaoscheck.world.virtual import VirtualWorld
from tests.contract.carriers import at_rest, client

__all__ = [
    "CHAT",
    "HEADERS",
    "KEY",
    "MESSAGES",
    "chat",
    "lines_of",
    "message",
    "recorded",
    "recorder_hits",
    "replay_hits",
    "replayed",
]

T = TypeVar("T")

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
KEY = "sk-very-secret-key-000"
HEADERS = {"authorization": f"Bearer {KEY}", "cookie": "session=crumbs-of-a-session"}

Asked = Callable[[httpx.AsyncClient], Awaitable[T]]


def chat(text: str = "hello there", **more: object) -> dict[str, Any]:
    """The body of a chat request."""
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def message(text: str = "hello there", **more: object) -> dict[str, Any]:
    """The body of a request to Anthropic."""
    return {**chat(text, **more), "max_tokens": 99}


def _played(
    servers: dict[str, ChaosServer], scene: Asked[T], *, source: AnswerSource | None = None
) -> T:
    """What ``scene`` sees of the last server; all of them live in one virtual world."""

    async def main() -> T:
        async with client(list(servers)[-1], 80) as http:
            seen = await scene(http)
        for server in servers.values():
            await at_rest(server)
        if isinstance(source, Upstream):
            await source.aclose()
        return seen

    with VirtualWorld() as world:
        for name, server in servers.items():
            world.network.add_host(name)
            world.spawn(server.serve, world.run(world.network.listen, name, 80))
        return world.run(main)


def recorded(
    path: Path,
    scene: Asked[T],
    *,
    upstream: ChaosServer | None = None,
    plan: FaultPlan | None = None,
    url: str = "http://real.test",
    timeout_s: float = 60.0,
) -> T:
    """What ``scene`` sees of a recorder in front of ``upstream``, whose file is ``path``."""
    file = RecordingFile(path)
    source = Upstream(url, file, timeout_s=timeout_s)
    recorder = ChaosServer(plan, settings=ServerSettings(source=source))
    servers = {"real.test": upstream or ChaosServer(), "proxy.test": recorder}
    try:
        return _played(servers, scene, source=source)
    finally:
        file.close()


def replayed(path: Path, scene: Asked[T], *, plan: FaultPlan | None = None) -> T:
    """What ``scene`` sees of a server that answers from the recording at ``path``."""
    source = Replay(read_recording(path))
    return _played({"api.test": ChaosServer(plan, settings=ServerSettings(source=source))}, scene)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The exchanges of a recording as JSON."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[1:]]


def recorder_hits(path: Path, scene: Asked[object], plan: FaultPlan) -> Counter[str]:
    """The faults that ``scene`` met at a recorder on ``plan``."""
    file = RecordingFile(path)
    source = Upstream("http://real.test", file)
    recorder = ChaosServer(plan, settings=ServerSettings(source=source))
    _played({"real.test": ChaosServer(), "proxy.test": recorder}, scene, source=source)
    file.close()
    return recorder.hits


def replay_hits(path: Path, scene: Asked[object], plan: FaultPlan) -> Counter[str]:
    """The faults that ``scene`` met at a replay on ``plan``."""
    source = Replay(read_recording(path))
    server = ChaosServer(plan, settings=ServerSettings(source=source))
    _played({"api.test": server}, scene)
    return server.hits
