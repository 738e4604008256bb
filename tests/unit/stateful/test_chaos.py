"""What a machine can do to its world, and what is counted of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from chaoscheck.errors import PlanError
from chaoscheck.history.link_fault import LinkFault
from chaoscheck.plan import catalogue as faults
from chaoscheck.stateful.chaos import Chaos
from chaoscheck.stateful.worlds import WORLDS, choose_world, chosen_world
from chaoscheck.world.world import World

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(params=WORLDS)
def chaos(request: pytest.FixtureRequest) -> Iterator[Chaos]:
    """A chaos server in each kind of world."""
    with WORLDS[request.param]() as world:
        served = Chaos(world)
        served.serve()
        yield served


async def ask(timeout_s: float = 5.0) -> Any:
    """The status of one request over a connection of its own, or the class of its error."""
    async with httpx.AsyncClient(verify=False, timeout=timeout_s) as client:
        try:
            reply = await client.post("http://api.test/v1/chat/completions", json=QUESTION)
        except httpx.TransportError as error:
            return type(error)
        return reply.status_code


def test_the_next_request_meets_the_next_fault_and_later_ones_none(chaos: Chaos) -> None:
    """One-shot faults queue up, first come first served."""
    chaos.next_fault(faults.status_500())
    chaos.next_fault(faults.reset_before_headers())

    assert [chaos.world.run(ask) for _ in range(3)] == [500, httpx.ReadError, 200]
    assert chaos.hits() == Counter(status_500=1, reset_before_headers=1)


def test_a_rate_takes_the_place_of_the_rate_before(chaos: Chaos) -> None:
    """Rates never sum above 1, whatever rules set them; 0 ends it."""
    chaos.set_rate(faults.status_500(), 1.0)
    assert chaos.world.run(ask) == 500
    chaos.set_rate(faults.status_529(), 1.0)
    assert chaos.world.run(ask) == 529
    chaos.set_rate(faults.status_529(), 0.0)
    assert chaos.world.run(ask) == 200


def test_a_refusing_link_heals(chaos: Chaos) -> None:
    """New connections are refused, counted when it was felt, and accepted after healing."""
    chaos.refuse()
    assert (chaos.injected()["refuse"], chaos.hits()["refuse"]) == (1, 0)

    assert chaos.world.run(ask) is httpx.ConnectError
    assert chaos.hits()["refuse"] == 1
    chaos.heal_link()
    assert chaos.world.run(ask) == 200


def test_a_cut_link_hangs_whoever_connects_until_it_heals(chaos: Chaos) -> None:
    """Nobody gets an error from a lost packet; time-outs do their work, and heal brings it back."""
    chaos.cut()
    assert chaos.world.run(ask, 3.0) is httpx.ConnectTimeout
    waiting = chaos.world.start(ask, 30.0)
    chaos.let_time_pass(10)
    assert not waiting.done

    chaos.heal_everything()

    assert chaos.world.run_until(waiting) == 200
    assert chaos.hits()["cut"] == 1


def test_a_reset_without_connections_has_no_effect(chaos: Chaos) -> None:
    """Injected, and not hit: an honest count."""
    chaos.reset()
    chaos.half_close()

    assert chaos.injected() == Counter(reset=1, half_close=1)
    assert chaos.hits() == Counter()


def test_link_faults_are_on_record_with_the_times_between_which_they_could_be_felt(
    chaos: Chaos,
) -> None:
    """A law can tell what a fault may explain: a cut until healed, a signal until it arrives."""
    network = chaos.world.network
    chaos.cut()
    cut = network.link_faults[0]
    assert (cut.name, cut.host, cut.from_s, cut.until_s) == ("cut", "api.test", 0.0, math.inf)
    chaos.let_time_pass(3)
    chaos.heal_link()
    chaos.reset()  # there is no connection: nothing can be felt of it
    chaos.let_time_pass(1)
    chaos.refuse()
    chaos.let_time_pass(2)
    chaos.heal_everything()

    assert [LinkFault("cut", "api.test", 0, 3), LinkFault("refuse", "api.test", 4, 6)] == (
        network.link_faults
    )
    assert [True, False] == [each.overlaps(1.0, 3.5) for each in network.link_faults]


def test_a_signal_can_be_felt_until_it_arrives(chaos: Chaos) -> None:
    """A FIN takes the longest latency so far at most, and longer where a cut holds it."""
    chaos.set_latency(0.0, 0.5)
    asking = chaos.world.start(ask, 60.0)
    chaos.next_fault(faults.stall_before_headers())
    chaos.let_time_pass(2)
    chaos.half_close()
    chaos.let_time_pass(0.25)
    chaos.cut()
    chaos.let_time_pass(4)
    chaos.heal_everything()
    chaos.world.run_until(asking)

    names = [(each.name, each.from_s, each.until_s) for each in chaos.world.network.link_faults]
    assert [("half_close", 2.0, 6.25), ("cut", 2.25, 6.25)] == names


def test_latency_is_felt_both_ways(chaos: Chaos) -> None:
    """A second each for the connection, the question and the answer."""
    chaos.set_latency(1.0, 1.0)

    assert chaos.world.run(ask) == 200
    assert chaos.world.now == 3.0


def test_faults_need_a_server_and_a_world_has_one(chaos: Chaos) -> None:
    """The errors say what to call."""
    with pytest.raises(PlanError, match="one chaos server a world"):
        chaos.serve()
    with pytest.raises(PlanError, match=r"call chaos\.serve\(\) in setup\(\)"):
        Chaos(chaos.world).next_fault(faults.status_500())


def test_healers_of_ones_own_are_called(chaos: Chaos) -> None:
    """A machine may heal what only it knows of."""
    healed: list[str] = []
    chaos.on_heal(lambda: healed.append("mine"))

    chaos.heal_everything()

    assert healed == ["mine"]


def test_machines_run_where_they_are_told() -> None:
    """An unknown world names the legal ones."""
    with pytest.raises(PlanError, match="unknown world 'lunar'; legal: virtual, loopback"):
        choose_world("lunar")

    choose_world("loopback")
    try:
        chosen: type[World] = chosen_world()
    finally:
        choose_world("virtual")

    assert chosen is WORLDS["loopback"]
