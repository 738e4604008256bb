"""Hints: what an error of the standard library or of a client most likely means in a world."""

from __future__ import annotations

import re
import socket
import ssl
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from chaoscheck.errors import Escape

__all__ = ["hint_for"]

_CHAIN_MAX = 20  # errors looked at: the error itself, its causes, and what they came from
_SYNC_CLIENTS = re.compile(r"[\\/](?:httpx[\\/]_transports|requests|urllib3?|http|httpcore)[\\/.]")
_NO_LOOP = re.compile(
    r"no running event loop|has no attribute 'create_future'|unrecognized yield message"
)


def hint_for(error: BaseException, machine: Any) -> str | None:
    """A line for the end of the story; None where nothing is known about such an error.

    ``machine`` is the one that failed, None if it was not even made.
    """
    chain = list(_chain(error))
    for hint in _HINTS:
        found = hint(chain, machine)
        if found is not None:
            return found
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    waiting, seen = [error], 0
    while waiting and seen < _CHAIN_MAX:
        each = waiting.pop(0)
        seen += 1
        yield each
        inner = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        waiting += [*inner, *(e for e in (each.__cause__, each.__context__) if e is not None)]


def _unknown_host(chain: list[BaseException], machine: Any) -> str | None:
    if not any(isinstance(each, socket.gaierror) for each in chain):
        return None
    return f"no host of that name is served in this world; served: {_served(machine)}"


def _tls_to_a_plain_server(chain: list[BaseException], machine: Any) -> str | None:
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in chain):
        return None  # it does speak TLS
    if any(isinstance(each, ssl.SSLError) for each in chain):
        return (
            "a TLS handshake with a server that may serve plain HTTP, as the chaos server does: "
            "use http://, or serve TLS yourself (docs/servers-in-a-world.md)"
        )
    if any(re.search(r":443\b", str(each)) and isinstance(each, OSError) for each in chain):
        return (
            "nothing listens on port 443: the chaos server serves plain HTTP, so use http://; "
            f"served: {_served(machine)}"
        )
    return None


def _sync_client(chain: list[BaseException], machine: Any) -> str | None:
    for each in chain:
        if isinstance(each, Escape) and "socket" in str(each) and _went_through_a_client(each):
            return (
                "a sync client blocks the whole world: use httpx.AsyncClient in an async rule, or "
                "test the sync one with the fixture chaos_server, on real TCP"
            )
    return None


def _went_through_a_client(error: BaseException) -> bool:
    frames = traceback.walk_tb(error.__traceback__)
    return any(_SYNC_CLIENTS.search(frame.f_code.co_filename) for frame, _ in frames)


def _asyncio_on_trio(chain: list[BaseException], machine: Any) -> str | None:
    kinds = RuntimeError | AttributeError | TypeError
    if not any(isinstance(each, kinds) and _NO_LOOP.search(str(each)) for each in chain):
        return None
    return (
        "asyncio was called in a rule, and rules run on trio: use trio.sleep, trio.Event and "
        "nurseries; a subject of asyncio goes through chaoscheck.subjects (docs/bring-your-own.md)"
    )


def _served(machine: Any) -> str:
    hosts = () if machine is None else machine.world.network.served_hosts()
    return ", ".join(hosts) or "none (call chaos.serve() or world.serve(...) in setup())"


_HINTS: tuple[Callable[[list[BaseException], Any], str | None], ...] = (
    _unknown_host,
    _tls_to_a_plain_server,
    _sync_client,
    _asyncio_on_trio,
)
