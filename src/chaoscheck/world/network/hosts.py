"""Hosts: names, their virtual IPv4 addresses, and the link to each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from chaoscheck.errors import WorldError
from chaoscheck.world.network.host_link import HostLink

__all__ = ["ANY", "CLIENT_ADDRESS", "LOOPBACK", "Hosts"]

ANY = "0.0.0.0"
LOOPBACK = "127.0.0.1"
CLIENT_ADDRESS = "10.255.0.1"  # where connections come from, unless they are bound or local

_HOSTS_PER_NET = 250
_HOSTS_MAX = _HOSTS_PER_NET * 250  # 10.0.0.1 to 10.0.249.250


L = TypeVar("L", bound=HostLink)


class Hosts(Generic[L]):
    """Who exists in a world. ``localhost`` does from the start."""

    def __init__(self, new_link: Callable[[str], L]) -> None:
        self._new_link = new_link
        self._addresses: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._links: dict[str, L] = {}
        self._register("localhost", LOOPBACK)

    def add(self, name: str) -> str:
        """Register ``name`` if it is new; its IPv4 address."""
        known = self.address_of(name)
        if known is not None:
            return known
        if not name or any(character.isspace() for character in name):
            raise WorldError(f"a host name must be non-empty and without spaces, got {name!r}")
        index = len(self._addresses) - 1  # localhost has none of these
        if index >= _HOSTS_MAX:
            raise WorldError(f"a world holds at most {_HOSTS_MAX} hosts, {name!r} is one too many")
        net, node = divmod(index, _HOSTS_PER_NET)
        return self._register(_canonical(name), f"10.0.{net}.{node + 1}")

    def address_of(self, name: str) -> str | None:
        """The IPv4 address of a registered name (any case, with or without the final dot)."""
        return self._addresses.get(_canonical(name))

    def name_at(self, address: str) -> str | None:
        """The name registered for an IPv4 address."""
        return self._names.get(address)

    def link_at(self, address: str) -> L | None:
        """The link to the host at an IPv4 address, None if there is no such host."""
        name = self._names.get(address)
        return None if name is None else self._links[name]

    def link_to(self, name: str) -> L:
        """The link to a host by name (or address); WorldError if it is not registered."""
        link = self._links.get(_canonical(name)) or self.link_at(name)
        if link is None:
            known = ", ".join(self._links)
            raise WorldError(f"no host {name!r} in this world; there are: {known}")
        return link

    def address_at(self, host: str) -> str:
        """The IPv4 address of a host given by name or address; WorldError as ``link_to``."""
        return self._addresses[self.link_to(host).host]

    def links(self) -> Iterable[L]:
        """All links, in order of registering."""
        return self._links.values()

    def is_local(self, address: str) -> bool:
        """Whether a socket may be bound to it."""
        return address in (ANY, CLIENT_ADDRESS) or address in self._names

    def _register(self, name: str, address: str) -> str:
        self._addresses[name] = address
        self._names[address] = name
        self._links[name] = self._new_link(name)
        return address


def _canonical(name: str) -> str:
    return name.lower().removesuffix(".")
