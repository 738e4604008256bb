"""docs/faults.md, made from the code: each fault with what clients see of it, byte by byte.

``python -m tests.contract.faults_page`` prints the page. A test holds every section equal to what
a chaos server does, on the virtual network and on kernel TCP.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping

import trio

from chaoscheck.plan.catalogue import FAMILIES
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.tool_call_fault import ToolCallFault
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.world.virtual import VirtualWorld
from chaoscheck.world.world import World
from tests.contract.clients import CLIENTS, TEXT, Ask, Outcome
from tests.contract.raw_client import chat_request, whole
from tests.contract.stream_clients import STREAM_CLIENTS
from tests.contract.tool_clients import (
    CALLING,
    CHAT_TOOLS,
    TOOL_CLIENTS,
    TOOL_STREAM_CLIENTS,
)
from tests.contract.worlds import HOST, PATIENCE_S, serve

__all__ = ["INTRODUCTION", "page", "section"]

SHOWN_BYTES = 1_440  # of an answer; a stream of two pieces fits
TAIL_BYTES = 120
WATCHED_S = 60.0  # longer than anything that a fault delays by default

INTRODUCTION = f"""# What each fault looks like

Made from the code by `python -m tests.contract.faults_page`; `tests/contract/test_faults_page.py`
plays every section again, on the virtual network and on kernel TCP. Parameters are shown with their
defaults.

A block shows the bytes that a raw client receives when it asks OpenAI's chat completions to echo
`{TEXT}`, once for a plain answer and once for a stream, where the fault strikes either. A line ends
where `\\r\\n` or `\\n` is shown; other bytes that are no text are shown as `\\xNN`. The last line
says how it ended, and after how many seconds on the server's clock.

Below it stands what clients make of it, who wait {PATIENCE_S:g} s for the next byte and do not
retry: what they raise, the status, and how many bytes (for SDKs: of text, or of the error's body)
they have by then. `whole` means that nothing was raised.

A fault of a tool's call strikes an answer that calls one: there the model calls `forecast` for Rome
and three days. The block is a plain answer of chat completions; below it stands what the callers of
the SDKs get: the calls, with the arguments as they read them, and the reason that the answer gives
for its end; or what is raised, by the SDK or by `json.loads` of its caller. Where a fault does not
apply, the answer is the good one, and the fault waits for another.
"""

FAMILY_TITLES: Mapping[str, str] = {
    "status": "Errors in the provider's own words",
    "connection": "The connection",
    "body": "The body of a good answer",
    "stream": "A stream of events",
    "header": "Odd Retry-After headers",
    "tool": "Calls of tools",
}


def page(world: type[World] = VirtualWorld) -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for family, kinds in FAMILIES.items():
        parts.append(f"## {FAMILY_TITLES[family]}\n")
        parts += [section(kind, world) for kind in kinds]
    return "\n".join(parts)


def section(kind: type[Fault], world: type[World]) -> str:
    """What stands on the page about one fault."""
    fault = kind()
    shown = _called if isinstance(fault, ToolCallFault) else _shown_and_told
    plain, streamed = (shown(world, fault, streamed) for streamed in (False, True))
    title = f"### `{fault!r}`\n\n{_first_sentence(kind)}\n"
    if plain == streamed:
        return f"{title}\nPlain or streamed:\n{plain}"
    parts = [f"\nPlain:\n{plain}"] if plain else []
    parts += [f"\nStreamed:\n{streamed}"] if streamed else []
    return title + "".join(parts)


def _shown_and_told(world: type[World], fault: Fault, streamed: bool) -> str | None:
    seen = _watched(world, fault, streamed)
    if seen is None:
        return None
    told = "; ".join(
        f"{name} {_outcome(world, fault, ask)}"
        for name, ask in (STREAM_CLIENTS if streamed else CLIENTS).items()
        if name != "raw"
    )
    return f"\n```text\n{seen}\n```\n\n{told}.\n"


def _called(world: type[World], fault: Fault, streamed: bool) -> str:
    """The same of a fault of calls; of a stream only what callers get, since its bytes are many."""
    seen = None if streamed else _watched(world, fault, streamed)
    clients = TOOL_STREAM_CLIENTS if streamed else TOOL_CLIENTS
    told = [f"- {name} {_call_of(world, fault, ask)}" for name, ask in clients.items()]
    block = "" if seen is None else f"\n```text\n{seen}\n```\n"
    return block + "\n" + "\n".join(told) + "\n"


def _call_of(world: type[World], fault: Fault, ask: Ask) -> str:
    server = ChaosServer(CALLING)
    server.next_fault(fault)
    with world() as there:
        serve(there, server)
        outcome = there.run(ask, HOST, 80, PATIENCE_S)
    if not server.injected[fault.name]:
        return "does not apply"
    if outcome.ended != "whole":
        return f"raises {outcome.ended}"
    calls, _, reason = outcome.delivered.decode().rpartition(" [")
    return f"`{calls or 'no call'}`, `{reason[:-1]}`"


def _first_sentence(kind: type[Fault]) -> str:
    paragraphs = (kind.__doc__ or "").strip().split("\n\n")
    # Of a fault of calls it also says which APIs can say it.
    documented = paragraphs if issubclass(kind, ToolCallFault) else paragraphs[:1]
    said = "\n\n".join([" ".join(paragraph.split()) for paragraph in documented])
    fields = [field.name for field in dataclasses.fields(kind)]
    return said if fields else f"{said} It has no parameters."


def _watched(world: type[World], fault: Fault, streamed: bool) -> str | None:
    """All that a raw client receives; None if the fault does not strike such an answer."""
    calls = isinstance(fault, ToolCallFault)
    server = ChaosServer(CALLING if calls else None)
    server.next_fault(fault)
    request = chat_request(TEXT, streamed=streamed, tools=CHAT_TOOLS if calls else ())

    async def watch(host: str, port: int) -> tuple[bytes, str, float]:
        received, began_s = b"", trio.current_time()
        last_s = began_s
        async with await trio.open_tcp_stream(host, port) as stream:
            try:
                await stream.send_all(request)
                with trio.move_on_after(WATCHED_S):
                    while data := await stream.receive_some():
                        received += data
                        last_s = trio.current_time()
                    return received, "FIN", trio.current_time() - began_s
            except trio.BrokenResourceError:
                return received, "RST", trio.current_time() - began_s
        open_ = "whole; the connection stays open" if whole(received) else "silence from here on"
        return received, open_, last_s - began_s

    with world() as there:
        serve(there, server)
        received, ended, after_s = there.run(watch, HOST, 80)
        there.settle()
        if not server.hits[fault.name]:
            return None
    after = f", after {after_s:g} s" if after_s else ""
    return f"{_shown(received)}\n== {ended}{after}".lstrip("\n")


def _outcome(world: type[World], fault: Fault, ask: Ask) -> Outcome:
    server = ChaosServer()
    server.next_fault(fault)
    with world() as there:
        serve(there, server)
        return there.run(ask, HOST, 80, PATIENCE_S)


def _shown(received: bytes) -> str:
    if len(received) > SHOWN_BYTES:
        left_out = len(received) - SHOWN_BYTES
        head, tail = received[: SHOWN_BYTES - TAIL_BYTES], received[-TAIL_BYTES:]
        return f"{_text(head)}\n... {left_out} bytes ...\n{_text(tail)}"
    return _text(received)


def _text(data: bytes) -> str:
    """Bytes as text: what is not printable ASCII as an escape, a line end before its break."""
    escaped = "".join(
        chr(byte) if 32 <= byte < 127 and byte != 92 else repr(bytes([byte]))[2:-1] for byte in data
    )
    broken = escaped.replace("\\r\\n", "\0").replace("\\n", "\\n\n").replace("\0", "\\r\\n\n")
    return broken.replace("\\r\\n\n\\n", "\\r\\n\n\\n").rstrip("\n")


if __name__ == "__main__":
    sys.stdout.write(page())
