"""The virtual network: hosts, names, ports, and links with their faults."""

from __future__ import annotations

import errno
import socket

import pytest
import trio
import trio.testing

from chaoscheck.errors import PlanError, WorldError
from chaoscheck.world.choices import ScriptedChoices
from tests.unit.world.network_lab import (
    HOST,
    PORT,
    Lab,
    collect,
    connected,
    error_of,
    fresh_socket,
    run,
)

# Hosts, names and ports.


def test_hosts_get_addresses_in_the_order_of_adding() -> None:
    """A host has the same address in every run, and adding it again changes nothing."""
    network = Lab().network

    assert ["10.0.0.2", "10.0.0.3"] == [network.add_host("b.example"), network.add_host("c")]
    assert "10.0.0.1" == network.add_host("API.example.")


def test_an_unknown_name_is_not_resolved() -> None:
    """A name that no host has fails as a wrong name does on a real machine."""
    lab = Lab()

    async def story() -> None:
        with pytest.raises(socket.gaierror) as caught:
            await trio.open_tcp_stream("nowhere.example", PORT)
        assert socket.EAI_NONAME == caught.value.errno

    run(lab, story)


def test_an_unknown_address_is_unreachable() -> None:
    """Connecting to an address that no host has is EHOSTUNREACH."""
    lab = Lab()

    async def story() -> None:
        with trio.socket.socket() as client:
            assert errno.EHOSTUNREACH == await error_of(client.connect(("203.0.113.7", PORT)))

    run(lab, story)


def test_addresses_resolve_back_to_names() -> None:
    """getnameinfo gives the name a host was registered under."""
    lab = Lab()

    async def story() -> None:
        assert (HOST, "http") == await trio.socket.getnameinfo(("10.0.0.1", 80), 0)
        entries = await trio.socket.getaddrinfo(HOST, "https", type=socket.SOCK_STREAM)
        assert [("10.0.0.1", 443)] == [entry[4] for entry in entries]

    run(lab, story)


def test_servers_anywhere_in_the_world_find_a_free_port() -> None:
    """Listening with port 0 works on any host, on all of them and on localhost."""
    lab = Lab()

    async def story() -> None:
        listeners = await trio.open_tcp_listeners(0)
        listeners += await trio.open_tcp_listeners(0, host="localhost")
        listeners += await lab.network.listen(HOST, 0)
        found = [listener.socket.getsockname() for listener in listeners]
        assert [("0.0.0.0", 32768), ("127.0.0.1", 32769), ("10.0.0.1", 32770)] == found
        async with await trio.open_tcp_stream(HOST, 32768) as to_any:
            assert ("10.0.0.1", 32768) == to_any.socket.getpeername()

    run(lab, story)


def test_faults_name_a_host_that_exists() -> None:
    """A fault on a misspelt host is refused with the names there are."""
    with pytest.raises(WorldError, match=r"no host 'apj\.example'.*localhost, api\.example"):
        Lab().network.cut("apj.example")


def test_an_impossible_latency_is_refused() -> None:
    """Latencies are finite, not negative, and ordered."""
    for low, high in [(-1.0, 1.0), (2.0, 1.0), (0.0, float("inf")), (float("nan"), 1.0)]:
        with pytest.raises(PlanError, match="0 <= low_s <= high_s"):
            Lab().network.set_latency(HOST, low, high)


def test_datagrams_are_refused_with_what_is_simulated() -> None:
    """Asking for UDP says at once that the virtual network has only TCP."""
    with pytest.raises(WorldError, match="TCP over IPv4 only"):
        Lab().network.socket(socket.AF_INET, socket.SOCK_DGRAM)


# Links: refuse, cut, heal, latency.


def test_a_refusing_host_keeps_its_connections() -> None:
    """refuse hits new connects only, and heal undoes it."""
    lab = Lab()

    async def story() -> None:
        async with connected(lab) as ends:
            lab.network.refuse(HOST)
            with trio.socket.socket() as client:
                assert errno.ECONNREFUSED == await error_of(client.connect((HOST, PORT)))
            await ends.client.send_all(b"still")
            assert b"still" == await ends.server.receive_some()
            lab.network.heal(HOST)
            await (await trio.open_tcp_stream(HOST, PORT)).aclose()

    run(lab, story)


def test_a_cut_holds_both_directions_and_heal_delivers_in_order() -> None:
    """Nothing crosses a cut and nothing is lost: after heal all arrives, in order."""
    lab = Lab()

    async def story() -> None:
        async with connected(lab) as ends:
            lab.network.cut(HOST)
            for part in (b"a", b"b", b"c"):
                await ends.client.send_all(part)
            await ends.server.send_all(b"back")
            await ends.server.send_eof()
            assert (False, False) == (
                ends.server.socket.is_readable(),
                ends.client.socket.is_readable(),
            )
            lab.network.heal_all()
            assert b"abc" == await ends.server.receive_some()
            assert [b"back", b""] == [await ends.client.receive_some() for _ in range(2)]

    run(lab, story)


def test_a_connect_hangs_while_the_link_is_cut() -> None:
    """Connecting over a cut link neither fails nor succeeds, until it is healed."""
    lab = Lab()

    async def story() -> None:
        [_listener] = await lab.network.listen(HOST, PORT)
        lab.network.cut(HOST)
        found: list[object] = []
        async with trio.open_nursery() as nursery, fresh_socket() as client:
            nursery.start_soon(collect, lambda: client.connect((HOST, PORT)), found)
            await lab.pass_time(126.0)
            assert [] == found
            lab.network.heal(HOST)
            await trio.testing.wait_all_tasks_blocked()
            assert [None] == found

    run(lab, story)


def test_a_connect_over_a_cut_times_out_when_linux_does() -> None:
    """After tcp_syn_retries = 6 retransmissions, 127 s, connect is ETIMEDOUT."""
    lab = Lab()

    async def story() -> None:
        lab.network.cut(HOST)
        found: list[object] = []
        async with trio.open_nursery() as nursery, fresh_socket() as client:
            nursery.start_soon(collect, lambda: client.connect((HOST, PORT)), found)
            await lab.pass_time(126.9)
            assert [] == found
            await lab.pass_time(0.2)
            assert [errno.ETIMEDOUT] == [getattr(error, "errno", None) for error in found]

    run(lab, story)


def test_unacknowledged_data_times_out_when_linux_does() -> None:
    """A cut kills the side with unacknowledged data after 924.6 s; the silent side lives on."""
    lab = Lab()

    async def story() -> None:
        async with connected(lab) as ends:
            lab.network.cut(HOST)
            await ends.client.send_all(b"lost")
            await lab.pass_time(924.5)
            assert not ends.client.socket.is_readable()
            await lab.pass_time(0.2)
            assert errno.ETIMEDOUT == await error_of(ends.client.receive_some())
            assert b"" == await ends.client.receive_some()
            lab.network.heal(HOST)
            assert not ends.server.socket.is_readable()
            await ends.server.send_all(b"anybody there?")
            assert errno.ECONNRESET == await error_of(ends.server.receive_some())

    run(lab, story)


def test_a_healed_cut_does_not_count_toward_the_next() -> None:
    """Two cuts of 600 s with a heal between them break nothing."""
    lab = Lab()

    async def story() -> None:
        async with connected(lab) as ends:
            for part in (b"one", b"two"):
                lab.network.cut(HOST)
                await ends.client.send_all(part)
                await lab.pass_time(600.0)
                lab.network.heal(HOST)
                assert part == await ends.server.receive_some()

    run(lab, story)


def test_without_latency_nothing_is_drawn_and_no_timer_is_set() -> None:
    """A network without latency costs no draw and moves no clock."""
    lab = Lab()

    async def story() -> None:
        async with connected(lab) as ends:
            await ends.client.send_all(b"x")
            assert b"x" == await ends.server.receive_some()

    run(lab, story)
    assert ([], float("inf")) == (lab.choices.log, lab.clock.next_timer())


def test_segments_arrive_in_order_whatever_latency_is_drawn() -> None:
    """A later segment with a shorter latency waits for the earlier one, as with TCP."""
    lab = Lab(ScriptedChoices([0, 3, 0]))

    async def story() -> None:
        [listener] = await lab.network.listen(HOST, PORT)
        lab.network.set_latency(HOST, 1.0, 2.0)
        async with trio.open_nursery() as nursery, listener, fresh_socket() as client:
            nursery.start_soon(client.connect, (HOST, PORT))
            await lab.pass_time(1.0)
            server = await listener.accept()
            await client.send(b"slow")
            await client.send(b"fast")
            await lab.pass_time(1.5)
            assert not server.socket.is_readable()
            await lab.pass_time(0.5)
            assert b"slowfast" == await server.receive_some()
            await server.aclose()

    run(lab, story)
    assert {f"net.latency {HOST}"} == {choice.label for choice in lab.choices.log}


def test_a_refusal_takes_one_latency() -> None:
    """Nobody listens: the client learns of it after one latency of the link."""
    lab = Lab()

    async def story() -> None:
        lab.network.set_latency(HOST, 3.0, 3.0)
        found: list[object] = []
        async with trio.open_nursery() as nursery, fresh_socket() as client:
            nursery.start_soon(collect, lambda: client.connect((HOST, PORT)), found)
            await lab.pass_time(2.9)
            assert [] == found
            await lab.pass_time(0.1)
            assert [errno.ECONNREFUSED] == [getattr(error, "errno", None) for error in found]

    run(lab, story)


def test_a_full_backlog_lets_the_next_connect_wait() -> None:
    """With a backlog of n, n + 1 connections wait; one more gets in at a SYN retransmission."""
    lab = Lab()

    async def story() -> None:
        [listener] = await trio.open_tcp_listeners(PORT, host=HOST, backlog=1)
        early = [await trio.open_tcp_stream(HOST, PORT) for _ in range(2)]
        found: list[object] = []
        async with trio.open_nursery() as nursery, fresh_socket() as late:
            nursery.start_soon(collect, lambda: late.connect((HOST, PORT)), found)
            await lab.pass_time(2.0)
            assert [] == found
            await (await listener.accept()).aclose()
            await lab.pass_time(1.0)
            assert [None] == found
        await listener.aclose()
        for stream in early:
            await stream.aclose()

    run(lab, story)
