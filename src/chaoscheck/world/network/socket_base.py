"""What every socket of a world is, whatever carries its bytes: trio's socket interface around it.

Identity, the bound address, what it refuses, and how an operation proceeds. Each operation is
what trio's own socket does around a system call: checkpoint if cancelled, try, then either a
shielded checkpoint or a wait for readiness. So a cancelled operation has had no effect, and
every operation is a point where other tasks run.
"""

from __future__ import annotations

import errno
import socket as stdlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from socket import AddressFamily, SocketKind
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    Protocol,
    Self,
    TypeVar,
    overload,
)

import trio

from chaoscheck.world.network.address import Address, is_ipv4, socket_error
from chaoscheck.world.network.buffers import gather, scatter, size_of, views_of
from chaoscheck.world.network.pollable import Pollable
from chaoscheck.world.network.waiting import Waiter

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["N", "SocketBase", "SocketNetwork"]

T = TypeVar("T")


class SocketNetwork(Protocol):
    """What every socket asks of its network."""

    def name_at(self, address: str) -> str:
        """The host's name, or the address itself."""

    def forget(self, closed: SocketBase[Any]) -> None:
        """A descriptor was closed: it leaves the ledger."""


N = TypeVar("N", bound=SocketNetwork)


class SocketBase(trio.socket.SocketType, ABC, Generic[N]):
    """A TCP socket of network ``N``.

    ``number`` counts the sockets of the network from 1; ``opened_by`` names the task.
    """

    _kind: ClassVar[str]  # of network, for repr

    def __init__(self, network: N, number: int, opened_by: str) -> None:
        super().__init__()
        self.number = number
        self.opened_by = opened_by
        self._network = network
        self._closed = False  # by its own process
        self._sent_eof = False
        self._pollable: Pollable | None = None
        self._reading = Waiter(lambda: f"to read: {self.describe()}")
        self._writing = Waiter(lambda: f"to write: {self.describe()}")

    # Identity.

    @property
    def family(self) -> AddressFamily:
        """Always AF_INET."""
        return AddressFamily.AF_INET

    @property
    def type(self) -> SocketKind:
        """Always SOCK_STREAM."""
        return SocketKind.SOCK_STREAM

    @property
    def proto(self) -> int:
        """As it was made: 0 unless TCP was named."""
        return 0

    @property
    def did_shutdown_SHUT_WR(self) -> bool:  # noqa: N802 - trio's name
        """Whether its own process shut it down for writing."""
        return self._sent_eof

    def describe(self) -> str:
        """What it is at the moment, in words that are the same in every run."""
        connection = self._describe_connection()
        if connection is not None:
            return connection
        listening = self._listening_at()
        if listening is not None:
            host, port = listening
            return f"listener on {self._network.name_at(host)}:{port}"
        return self._describe_attempt()

    def __repr__(self) -> str:
        state = "closed" if self._closed else self.describe()
        return f"<{self._kind} socket {self.number}: {state}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    # Options.

    @overload
    def getsockopt(self, level: int, optname: int) -> int: ...

    @overload
    def getsockopt(self, level: int, optname: int, buflen: int) -> bytes: ...

    def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> int | bytes:
        """As ``socket.getsockopt``: an int, or at most ``buflen`` bytes of the value."""
        self._require_open()
        return self._get_option(level, optname, buflen)

    @overload
    def setsockopt(self, level: int, optname: int, value: int | Buffer) -> None: ...

    @overload
    def setsockopt(self, level: int, optname: int, value: None, optlen: int) -> None: ...

    def setsockopt(
        self, level: int, optname: int, value: int | Buffer | None, optlen: int | None = None
    ) -> None:
        """As ``socket.setsockopt``; which options have an effect is for the network to say."""
        self._require_open()
        if (value is None) == (optlen is None):
            raise TypeError(
                f"invalid value for argument 'value': {value!r}, give either a value, or None"
                " and optlen"
            )
        self._set_option(level, optname, value, optlen or 0)

    # Operations.

    async def bind(self, address: Any) -> None:
        """Bind to a host of this world (name or address), 0.0.0.0 or 127.0.0.1.

        Raises OSError EADDRNOTAVAIL, EADDRINUSE or EINVAL (bound already), gaierror EAI_NONAME.
        """
        resolved = await self._resolve(address, stdlib.AI_PASSIVE)
        await trio.lowlevel.checkpoint()
        self.bind_now(resolved)

    @abstractmethod
    def bind_now(self, address: Address) -> None:
        """``bind`` to a numeric address, without a checkpoint."""

    async def recv(self, buflen: int, flags: int = 0, /) -> bytes:
        """Up to ``buflen`` bytes of what has arrived, b"" at the end; OSError as the kernel.

        That is ECONNRESET, ETIMEDOUT, ENOTCONN.
        """
        if buflen == 0:  # CPython asks the kernel nothing then, not even whether it is open
            await trio.lowlevel.checkpoint()
            return b""
        return await self._perform(lambda: self.receive_now(buflen, flags), self._wait_readable)

    async def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        """``recv`` into ``buffer``; how many bytes, 0 at the end."""
        with memoryview(buffer).cast("B") as view:
            data = await self.recv(size_of(view, nbytes), flags)
            view[: len(data)] = data
            return len(data)

    async def send(self, bytes: Buffer, flags: int = 0, /) -> int:
        """Send what the window takes; how many bytes. OSError EPIPE, ECONNRESET, ETIMEDOUT."""
        return await self._perform(lambda: self.send_now(bytes, flags), self._wait_writable)

    def is_readable(self) -> bool:
        """Whether ``recv`` or ``accept`` would answer at once; ValueError if closed, as trio."""
        if self._closed:
            raise ValueError("this socket was already closed")
        return self._has_input()

    # TCP carries one stream: no call of this family names a peer, a boundary or ancillary data.

    async def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, None]:
        """``recv``; there is no sender's address on TCP."""
        return await self._receive(bufsize, flags), None

    async def recvfrom_into(
        self, buffer: Buffer, nbytes: int = 0, flags: int = 0
    ) -> tuple[int, None]:
        """``recv_into``; there is no sender's address on TCP."""
        return await self.recv_into(buffer, nbytes, flags), None

    async def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, None]:
        """(data, no ancillary data, no flags, no address)."""
        data = await self._receive(bufsize, flags)
        return data, [], 0, None

    async def recvmsg_into(
        self, buffers: Iterable[Buffer], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[tuple[int, int, bytes]], int, None]:
        """``recvmsg`` that fills the buffers one after the other; how many bytes."""
        views = views_of(buffers)
        data = await self._receive(sum(map(len, views)), flags)
        return scatter(data, views), [], 0, None

    async def sendmsg(
        self,
        buffers: Iterable[Buffer],
        ancdata: Iterable[tuple[int, int, Buffer]] = (),
        flags: int = 0,
        address: Any = None,
        /,
    ) -> int:
        """``send`` of the buffers one after the other; OSError EINVAL with ancillary data."""
        if list(ancdata):
            raise socket_error(errno.EINVAL)
        return await self.send(gather(buffers), flags)  # as on TCP, an address is of no effect

    async def sendto(self, data: Buffer, *flags_and_address: Any) -> int:
        """``send``: on a connected TCP socket the address has no effect."""
        flags = flags_and_address[0] if len(flags_and_address) > 1 else 0
        return await self.send(data, flags)

    async def _receive(self, limit: int, flags: int) -> bytes:
        return await self._perform(lambda: self.receive_now(limit, flags), self._wait_readable)

    # What each network's sockets answer in their own way.

    @abstractmethod
    def _describe_connection(self) -> str | None:
        """Which end of which connection it is, None without one."""

    @abstractmethod
    def _listening_at(self) -> Address | None:
        """Where it listens, None if it does not."""

    def _describe_attempt(self) -> str:
        return "unconnected socket"

    @abstractmethod
    def _get_option(self, level: int, optname: int, buflen: int | None) -> int | bytes:
        """The option of an open socket: an int, or bytes where ``buflen`` is given."""

    @abstractmethod
    def _set_option(
        self, level: int, optname: int, value: int | Buffer | None, optlen: int
    ) -> None:
        """Set an option of an open socket; ``optlen`` counts where ``value`` is None."""

    @abstractmethod
    def receive_now(self, limit: int, flags: int) -> bytes | None:
        """One attempt: the data, or None where the kernel would say EAGAIN."""

    @abstractmethod
    def send_now(self, data: Buffer, flags: int) -> int | None:
        """One attempt: how many bytes, or None where the kernel would say EAGAIN."""

    @abstractmethod
    def _has_input(self) -> bool:
        """Whether ``recv`` or ``accept`` of an open socket would answer at once."""

    async def _wait_readable(self) -> None:
        await self._reading.wait()
        self._require_not_closed_meanwhile()

    async def _wait_writable(self) -> None:
        await self._writing.wait()
        self._require_not_closed_meanwhile()

    # What they have in common.

    def _require_open(self) -> None:
        if self._closed:
            raise socket_error(errno.EBADF)

    def _require_not_closed_meanwhile(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("another task closed this socket")

    def _close_pollable(self) -> None:
        if self._pollable is not None:
            self._pollable.close()
            self._pollable = None

    async def _perform(
        self, attempt: Callable[[], T | None], wait: Callable[[], Awaitable[None]]
    ) -> T:
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            result = attempt()
        except Exception:
            await trio.lowlevel.cancel_shielded_checkpoint()
            raise
        if result is not None:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return result
        while result is None:
            await wait()
            result = attempt()
        return result

    async def _resolve(self, address: Any, flags: int) -> Address:
        """``address`` with its host as a number; not always a checkpoint."""
        if not isinstance(address, tuple) or len(address) != 2:
            raise ValueError("address should be a (host, port) tuple")
        host, port = address
        if isinstance(host, str) and isinstance(port, int) and is_ipv4(host):
            return host, port
        entries = await trio.socket.getaddrinfo(
            host or None, port, stdlib.AF_INET, stdlib.SOCK_STREAM, 0, flags
        )
        found = entries[0][4]
        return str(found[0]), int(found[1])
