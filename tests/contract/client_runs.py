"""Clients of ``docs/clients.md``, in processes of their own against chaos servers on kernel TCP.

A scene is one fault, met by the first request only or by every one. All scenes of a process run at
once, each with its own server, so that its rows cost as much time as the slowest scene.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.fault import Fault
from chaoscheck.server.threaded import ThreadedServer
from tests.architecture.checkout import ROOT

__all__ = ["SCENES", "SILENCE_S", "Program", "Scene", "rows_of"]

Mode = Literal["once", "always"]

PATIENCE_S = 30.0  # of the clients in all scenes but silence: never reached
SILENCE_S = 0.5  # a silent server never answers, so no slow machine changes what comes of it
RUN_S_MAX = 120.0
# No client may ask anything of another machine.
_ENVIRONMENT = {
    "NO_PROXY": "127.0.0.1",
    "no_proxy": "127.0.0.1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LANGSMITH_TRACING": "false",
    "DO_NOT_TRACK": "1",
}

Outcome = tuple[str, int]  # what came of a scene, in words, and its requests; 0: not counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A column of the table: the fault of a family, and what the client asks for.

    It asks for a stream, for a call of a tool, or for neither.
    """

    family: str
    fault: Fault
    streamed: bool = False
    called: bool = False
    modes: tuple[Mode, ...] = ("once", "always")
    timeout_s: float = PATIENCE_S


SCENES = (
    Scene(family="status", fault=faults.status_503()),
    Scene(family="header", fault=faults.retry_after_garbage()),
    Scene(family="connection", fault=faults.reset_mid_body()),
    Scene(
        family="connection",
        fault=faults.stall_before_headers(),
        modes=("always",),
        timeout_s=SILENCE_S,
    ),
    Scene(family="body", fault=faults.truncated_json()),
    Scene(family="stream", fault=faults.cut_stream(after_bytes=700), streamed=True),
    Scene(family="stream", fault=faults.cut_stream(after_bytes=700, ending="end"), streamed=True),
    Scene(family="tool", fault=faults.mistyped_tool_arguments(), called=True),
    Scene(family="tool", fault=faults.truncated_tool_arguments(), called=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The process in which some clients run, and their names in the table."""

    command: Sequence[str]
    names: Sequence[str]


class _Play(NamedTuple):
    """One client in one scene, and the server that it asks; no scene is one without a fault."""

    scene: Scene | None
    streamed: bool
    called: bool
    server: ThreadedServer


def rows_of(program: Program) -> list[str]:
    """Each client's row: its version, how long it waits, and a cell for each scene."""
    with ExitStack() as stack:
        plays = {name: _plays(stack) for name in program.names}
        said = _run(program, plays)
        rows = []
        for name, its_plays in plays.items():
            for play in its_plays.values():
                play.server.wait_at_rest()
            rows.append(_row(name, its_plays, said[name]))
    return rows


def _plays(stack: ExitStack) -> dict[str, _Play]:
    plays = {
        _whole(streamed, called): _Play(
            None, streamed, called, stack.enter_context(ThreadedServer())
        )
        for streamed, called in _KINDS
    }
    for number, scene in enumerate(SCENES):
        for mode in scene.modes:
            server = stack.enter_context(ThreadedServer())
            if mode == "once":
                server.next_fault(scene.fault)
            else:
                server.set_rate(scene.fault, 1.0)
            plays[f"{number} {mode}"] = _Play(scene, scene.streamed, scene.called, server)
    return plays


_KINDS = ((False, False), (True, False), (False, True))  # streamed, called


def _whole(streamed: bool, called: bool) -> str:
    return f"whole, {'called' if called else 'streamed' if streamed else 'plain'}"


def _run(program: Program, plays: Mapping[str, Mapping[str, _Play]]) -> dict[str, Any]:
    asked = {
        name: {
            number: {
                "url": play.server.url,
                "streamed": play.streamed,
                "called": play.called,
                "timeout_s": PATIENCE_S if play.scene is None else play.scene.timeout_s,
            }
            for number, play in its_plays.items()
        }
        for name, its_plays in plays.items()
    }
    run = subprocess.run(
        program.command,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **_ENVIRONMENT},
        timeout=RUN_S_MAX,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"{program.names} ended with {run.returncode}:\n{run.stderr[-2000:]}")
    said: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return said


def _row(name: str, plays: Mapping[str, _Play], said: Mapping[str, Any]) -> str:
    outcomes = {number: _outcome(said["outcomes"], number, play) for number, play in plays.items()}
    for kind in _KINDS:
        whole, _ = outcomes[_whole(*kind)]
        assert whole == "whole", f"{name}, {_whole(*kind)}: {said['outcomes']}"
    cells = [
        _cell([outcomes[f"{number} {mode}"] for mode in scene.modes])
        for number, scene in enumerate(SCENES)
    ]
    waits_s = said["waits_s"]
    waits = "for ever" if waits_s is None else f"{waits_s:g} s"
    return f"| {name} {said['version']} | {waits} | {' | '.join(cells)} |"


def _outcome(outcomes: Mapping[str, Mapping[str, str]], number: str, play: _Play) -> Outcome:
    requests = len(play.server.ledger)
    words = _in_words(outcomes, number, play, requests)
    # A client that waits for so short a time may give up, on a busy machine, before its request
    # is out: where silence is the fault, requests are not counted.
    counted = play.scene is None or play.scene.timeout_s != SILENCE_S
    return words, requests if counted else 0


def _in_words(
    outcomes: Mapping[str, Mapping[str, str]], number: str, play: _Play, requests: int
) -> str:
    outcome = outcomes[number]
    if "raised" in outcome:
        return f"raises `{outcome['raised']}`"
    if "text" not in outcome:
        return "hangs"
    expected = outcomes[_whole(play.streamed, play.called)].get("text")
    if outcome["text"] == expected:
        return "whole" if requests == 1 else "recovers"
    if play.streamed and expected is not None and expected.startswith(outcome["text"]):
        return "accepts a truncated stream"
    if outcome["text"] and requests > 1:
        return "asks anew"
    return "accepts a wrong answer"


def _cell(outcomes: Sequence[Outcome]) -> str:
    """The outcomes of one scene: once, and where it differs, always."""
    words = list(dict.fromkeys(outcome for outcome, _ in outcomes))
    if len(words) == 1:
        return words[0] + _tries(outcomes[-1][1])
    (once, once_requests), (always, always_requests) = outcomes
    return f"{once}{_tries(once_requests)}; else {always}{_tries(always_requests)}"


def _tries(requests: int) -> str:
    return f", {requests} requests" if requests > 1 else ""
