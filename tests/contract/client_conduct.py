"""How a client comes and goes: limits, time-outs, leaving early; with what must come of it."""

from __future__ import annotations

from typing import Any

import trio

from tests.contract.conduct import Conduct
from tests.contract.http_scenes import Lab

__all__ = ["COMING_AND_GOING", "one_idle_connection_of_two_in_turns"]


async def in_turn(lab: Lab) -> None:
    async with lab.client() as client:
        for _ in range(3):
            await lab.ask(client, "/ok")


# Time-outs.


async def no_answer(lab: Lab) -> None:
    async with lab.client(timeout={"read": lab.patience_s}) as client:
        await lab.ask(client, "/stall")
        await lab.ask(client, "/ok")


async def no_answer_with_equal_limits(lab: Lab) -> None:
    async with lab.client(timeout={"read": lab.patience_s, "write": lab.patience_s}) as client:
        await lab.ask(client, "/stall")


async def answer_stops_in_the_middle(lab: Lab) -> None:
    async with lab.client(timeout={"read": lab.patience_s}) as client:
        await lab.ask(client, "/half")
        await lab.ask(client, "/ok")


async def server_does_not_read(lab: Lab) -> None:
    body = b"x" * 24_000_000  # more than both kernels' buffers hold
    for read_s in (lab.patience_s, 2 * lab.patience_s):
        async with lab.client(timeout={"write": lab.patience_s, "read": read_s}) as client:
            await lab.ask(client, "/deaf", method="POST", content=body)


async def no_time_to_connect(lab: Lab) -> None:
    async with lab.client(timeout={"connect": 0.0}) as client:
        await lab.ask(client, "/ok")


async def nobody_listens(lab: Lab) -> None:
    async with lab.client() as client:
        await lab.ask(client, f"http://{lab.host}:{lab.port + 1}/")
        await lab.ask(client, "http://no-such-host.invalid/")
        await lab.ask(client, "/ok")


async def no_connection_is_free(lab: Lab) -> None:
    limits = {"max_connections": 1, "timeout": {"pool": lab.patience_s}}
    async with lab.client(**limits) as client:  # type: ignore[arg-type]
        async with client.stream("GET", "/ok") as response:
            await lab.ask(client, "/ok")
            await response.aread()
        await lab.ask(client, "/ok")


# Limits.


async def _together(lab: Lab, client: Any, paths: list[str]) -> None:
    async with trio.open_nursery() as nursery:
        for path in paths:
            nursery.start_soon(lab.ask, client, path)


async def a_queue_for_one_connection(lab: Lab) -> None:
    async with lab.client(max_connections=1) as client:
        await _together(lab, client, ["/ok"] * 5)


async def a_queue_behind_a_server_that_closes(lab: Lab) -> None:
    async with lab.client(max_connections=1) as client:
        await _together(lab, client, ["/closed"] * 3)


async def more_requests_than_connections(lab: Lab) -> None:
    async with lab.client(max_connections=2) as client:
        await _together(lab, client, ["/ok"] * 6)


async def no_idle_connections(lab: Lab) -> None:
    async with lab.client(max_keepalive_connections=0) as client:
        await lab.ask(client, "/ok")
        await lab.ask(client, "/ok")


async def one_idle_connection(lab: Lab) -> None:
    async with lab.client(max_keepalive_connections=1) as client:
        await _together(lab, client, ["/ok"] * 2)
        await _together(lab, client, ["/ok"] * 2)


async def one_idle_connection_of_two_in_turns(lab: Lab) -> None:
    """Two agents ask in turns, each while the other's request is under way."""

    async def agent(client: Any, pause_s: float) -> None:
        await trio.sleep(pause_s)
        for _ in range(3):
            async with client.stream("GET", "/ok") as response:
                await trio.sleep(2 * lab.patience_s)
                await response.aread()

    async with (
        lab.client(max_keepalive_connections=1) as client,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(agent, client, 0.0)
        nursery.start_soon(agent, client, lab.patience_s)


async def idle_for_too_long(lab: Lab) -> None:
    async with lab.client(keepalive_expiry=lab.patience_s) as client:
        await lab.ask(client, "/ok")
        await trio.sleep(lab.patience_s / 2)
        await lab.ask(client, "/ok")
        await trio.sleep(lab.patience_s * 1.5)
        await lab.ask(client, "/ok")


async def idle_connection_makes_room_for_another_host(lab: Lab) -> None:
    found = await trio.socket.getaddrinfo(lab.host, lab.port)
    async with lab.client(max_connections=1) as client:
        await lab.ask(client, "/ok")
        await lab.ask(client, f"http://{found[0][4][0]}:{lab.port}/ok")
        await lab.ask(client, "/ok")


# Leaving early.


async def closed_in_the_middle(lab: Lab) -> None:
    async with lab.client(max_connections=1) as client:
        async with client.stream("GET", "/long") as response:
            async for _ in response.aiter_raw():
                break
        await lab.ask(client, "/ok")


async def closed_unread(lab: Lab) -> None:
    async with lab.client(max_connections=1) as client:
        async with client.stream("GET", "/ok"):
            pass
        await lab.ask(client, "/ok")


async def failed_in_the_middle_and_never_closed(lab: Lab) -> None:
    timeout = {"read": lab.patience_s, "pool": lab.patience_s}
    async with lab.client(max_connections=1, timeout=timeout) as client:
        response = await client.send(client.build_request("GET", "/half"), stream=True)
        try:
            await response.aread()
        except lab.library.module.ReadTimeout:
            await lab.ask(client, "/ok")


async def cancelled_in_the_middle(lab: Lab) -> None:
    async with lab.client(max_connections=1) as client:
        with trio.move_on_after(lab.patience_s):
            await lab.ask(client, "/half")
        await _together(lab, client, ["/ok"] * 2)


async def cancelled_before_the_answer(lab: Lab) -> None:
    async with lab.client(max_connections=1) as client:
        with trio.move_on_after(lab.patience_s):
            await lab.ask(client, "/stall")
        await _together(lab, client, ["/ok"] * 2)


async def cancelled_in_the_queue(lab: Lab) -> None:
    async with lab.client(max_connections=1) as client:
        async with client.stream("GET", "/ok") as response:
            with trio.move_on_after(lab.patience_s):
                await lab.ask(client, "/ok")
            await response.aread()
        await lab.ask(client, "/ok")


async def client_closed_under_a_reader(lab: Lab) -> None:
    async with lab.client() as client, trio.open_nursery() as nursery:
        nursery.start_soon(lab.ask, client, "/half")
        await trio.sleep(lab.patience_s)
        await client.aclose()


COMING_AND_GOING = [
    Conduct(scene=scene, outcomes=outcomes, connections=connections)
    for scene, outcomes, connections in (
        (in_turn, (200, 200, 200), 1),
        (no_answer, ("ReadTimeout", 200), 2),
        (no_answer_with_equal_limits, ("ReadTimeout",), 1),
        (answer_stops_in_the_middle, ("ReadTimeout", 200), 2),
        (server_does_not_read, ("WriteTimeout", "WriteTimeout"), 2),
        (no_time_to_connect, ("ConnectTimeout",), 0),
        (nobody_listens, ("ConnectError", "ConnectError", 200), 1),
        (no_connection_is_free, ("PoolTimeout", 200), 1),
        (a_queue_for_one_connection, (200,) * 5, 1),
        (a_queue_behind_a_server_that_closes, (200,) * 3, 3),
        (more_requests_than_connections, (200,) * 6, 2),
        (no_idle_connections, (200, 200), 2),
        (one_idle_connection, (200,) * 4, 3),
        (idle_for_too_long, (200,) * 3, 2),
        (idle_connection_makes_room_for_another_host, (200,) * 3, 3),
        (closed_in_the_middle, (200,), 2),
        (closed_unread, (200,), 2),
        (failed_in_the_middle_and_never_closed, (200,), 2),
        (cancelled_in_the_middle, (200, 200), 2),
        (cancelled_before_the_answer, (200, 200), 2),
        (cancelled_in_the_queue, (200,), 1),
        (client_closed_under_a_reader, ("ReadError",), 1),
    )
]
