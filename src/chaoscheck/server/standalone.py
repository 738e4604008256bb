"""A chaos server on its own: a real port, until a signal comes or its time is up.

An address is refused (PlanError) before anything is opened. The end is clean: no new connection,
a moment for answers that are under way, then the rest is cut.
"""

from __future__ import annotations

import errno
import ipaddress
import math
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import trio

from chaoscheck.errors import PlanError
from chaoscheck.server.chaos_server import ChaosServer

__all__ = ["PORT_MAX", "Address", "at_rest", "bind", "require_duration", "run_until_told", "url_of"]

PORT_MAX = 65_535
DURATION_MAX_S = 10 * 365 * 86_400  # ten years: more is a slip of the keyboard
GRACE_S = 0.75  # real seconds for answers under way: with the ledger and the exit 2 s at most
_LOOK_S = 0.001  # real seconds between two looks at what is in flight

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Where a server that listens everywhere can be asked from this machine.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen: a name or an address of this machine, and a port; 0 is any free one.

    Without ``allow_external`` every address that the name has must be a loopback one.
    """

    host: str = "127.0.0.1"
    port: int = 0
    allow_external: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.port <= PORT_MAX:
            raise PlanError(f"port must be in [0, {PORT_MAX}], got {self.port}")
        if not self.host:
            raise PlanError("host must be a name or an address of this machine, got ''")


async def bind(address: Address) -> trio.SocketListener:
    """Listen on the first address of the host, IPv4 before IPv6.

    PlanError when the host is unknown, not this machine's or not loopback, and when the port is
    in use or reserved.
    """
    found = await _addresses_of(address)
    if not address.allow_external:
        beyond = [each for each in found if not ipaddress.ip_address(each).is_loopback]
        if beyond:
            raise PlanError(
                f"host {address.host!r} ({beyond[0]}) can be reached from outside; only loopback "
                "addresses are served without --allow-external"
            )
    try:
        (listener,) = await trio.open_tcp_listeners(address.port, host=found[0])
    except OSError as error:
        raise PlanError(_why_not(address, error)) from None
    return listener


async def _addresses_of(address: Address) -> list[str]:
    try:
        found = await trio.socket.getaddrinfo(address.host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise PlanError(
            f"host must be a name or an address of this machine, got {address.host!r}"
        ) from None
    found.sort(key=lambda each: each[0] != socket.AF_INET)
    return [str(each[4][0]).partition("%")[0] for each in found]


def _why_not(address: Address, error: OSError) -> str:
    numbers = {error.errno, *(getattr(each, "errno", None) for each in _inner(error))}
    if errno.EADDRINUSE in numbers:
        return f"port {address.port} of {address.host} is in use"
    if numbers & {errno.EACCES, errno.EPERM}:
        return f"port {address.port} of {address.host} is reserved for root"
    if errno.EADDRNOTAVAIL in numbers:
        return f"host must be a name or an address of this machine, got {address.host!r}"
    return f"cannot listen on {address.host} port {address.port}: {error.strerror or error}"


def _inner(error: OSError) -> Sequence[BaseException]:
    cause = error.__cause__
    return cause.exceptions if isinstance(cause, BaseExceptionGroup) else ()


def url_of(listener: trio.SocketListener) -> str:
    """``http://host:port`` of a listener, as this machine reaches it."""
    host, port = listener.socket.getsockname()[:2]
    host = _EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def require_duration(what: str, seconds: float | None) -> None:
    """Refuse what is no time to run for (PlanError); None is for ever."""
    if seconds is None:
        return
    if not math.isfinite(seconds) or not 0 <= seconds <= DURATION_MAX_S:
        raise PlanError(f"{what} must be in [0, {DURATION_MAX_S}] seconds, got {seconds:g}")


async def run_until_told(
    server: ChaosServer,
    listener: trio.SocketListener,
    announce: Callable[[], object],
    *,
    lasts_s: float | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM comes, or for ``lasts_s`` seconds; closes the listener.

    ``announce`` is called once a client can connect and a signal ends the server cleanly. After
    the end nobody can connect; answers under way have ``GRACE_S`` seconds to go out.
    """
    door = _Door(listener)
    with trio.open_signal_receiver(*_SIGNALS) as signals:
        announce()  # The kernel takes connections since the port was bound.
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, [door])
            with trio.move_on_after(math.inf if lasts_s is None else lasts_s):
                await anext(signals)
            await door.shut()
            with trio.move_on_after(GRACE_S):
                await at_rest(server)
            nursery.cancel_scope.cancel()


async def at_rest(server: ChaosServer) -> None:
    """Return once no request is in flight."""
    # Looking costs a waiting caller little; an event would cost every request something.
    while server.in_flight:  # noqa: ASYNC110
        await trio.sleep(_LOOK_S)


class _Door(trio.abc.Listener[trio.SocketStream]):
    """A listener that can be shut without an error, while its connections go on."""

    def __init__(self, listener: trio.SocketListener) -> None:
        self._listener = listener
        self._waiting = trio.CancelScope()
        self._open = True

    async def accept(self) -> trio.SocketStream:
        """The next connection; once it is shut there is none, and this waits to be cancelled."""
        if self._open:
            with trio.CancelScope() as self._waiting:
                return await self._listener.accept()
        return await trio.sleep_forever()

    async def shut(self) -> None:
        """Take no more connections."""
        self._open = False
        self._waiting.cancel()
        await self._listener.aclose()

    async def aclose(self) -> None:
        """Close the listener."""
        await self._listener.aclose()
