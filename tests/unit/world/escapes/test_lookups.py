"""Host names are looked up in the world, whoever asks."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
import trio

from chaoscheck.world.virtual import VirtualWorld

NAME, ADDRESS = "redis.test", "10.0.0.1"


def _address(entries: object) -> object:
    assert isinstance(entries, list)
    return entries[0][4][0]


LOOK_UPS: list[Callable[[], object]] = [
    lambda: _address(socket.getaddrinfo(NAME, 80)),
    lambda: _address(socket.getaddrinfo(NAME.encode(), "http", type=socket.SOCK_STREAM)),
    lambda: socket.gethostbyname(NAME),
    lambda: socket.gethostbyname_ex(NAME)[2][0],
    lambda: socket.gethostbyaddr(ADDRESS)[2][0],
]


@pytest.mark.parametrize("look_up", LOOK_UPS)
def test_a_sync_look_up_is_answered_by_the_world(look_up: Callable[[], object]) -> None:
    """In sync code, in a task and in a worker thread."""

    async def task() -> object:
        return look_up()

    async def worker() -> object:
        return await trio.to_thread.run_sync(look_up)

    with VirtualWorld() as world:
        world.network.add_host(NAME)

        assert [ADDRESS] * 3 == [look_up(), world.run(task), world.run(worker)]


@pytest.mark.parametrize(
    "look_up",
    [
        lambda: socket.getaddrinfo("unknown.test", 80),
        lambda: socket.gethostbyname("unknown.test"),
        lambda: socket.gethostbyname_ex("unknown.test"),
        lambda: socket.gethostbyaddr("10.9.9.9"),
        lambda: socket.create_connection(("unknown.test", 80)),
    ],
)
def test_a_host_that_the_world_does_not_know_has_no_address(look_up: Callable[[], object]) -> None:
    """As trio's own look-ups there: the real resolver is never asked."""
    with VirtualWorld(), pytest.raises(socket.gaierror, match="not known"):
        look_up()


def test_names_are_found_by_address() -> None:
    """getnameinfo, gethostbyaddr and getfqdn."""
    with VirtualWorld() as world:
        world.network.add_host(NAME)

        assert (NAME, "http") == socket.getnameinfo((ADDRESS, 80), 0)
        assert NAME == socket.gethostbyaddr(ADDRESS)[0]
        assert NAME == socket.getfqdn(ADDRESS)


@pytest.mark.parametrize("host", ["192.0.2.7", "::1", None])
def test_numeric_addresses_need_no_resolver(host: str | None) -> None:
    """They are what they are."""
    expected = socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM)
    with VirtualWorld():
        assert expected == socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM)
