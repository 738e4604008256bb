"""Link faults: on whichever hosts a machine serves, and only where they are declared."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import trio

from chaoscheck.errors import NotExercised, PlanError, WorldError
from chaoscheck.plan.catalogue import status_500
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.program import Decision
from chaoscheck.stateful.chaos import Chaos
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.rules import invariant, rule
from chaoscheck.stateful.running import run_machine
from chaoscheck.world.virtual import VirtualWorld
from tests.unit.stateful.stories import QUICK, story


class Echo:
    """A server of the user's own: it sends back what it gets."""

    async def serve(self, listeners: Any) -> None:
        """Serve these listeners until cancelled."""
        await trio.serve_listeners(self._answer, listeners)

    async def _answer(self, stream: trio.SocketStream) -> None:
        async for chunk in stream:
            await stream.send_all(chunk)


class Talking(ChaosMachine):
    """Talks to servers of its own, and knows which of them answered."""

    links: ClassVar[tuple[str, ...]] = ("cut", "refuse", "reset", "half_close")
    served: ClassVar[tuple[str, ...]] = ("echo.test",)

    def setup(self) -> None:
        self.answers: dict[str, bytes | str] = {}
        for host in self.served:
            self.world.serve(Echo(), host=host, port=7)

    @rule()
    async def talk(self) -> None:
        for host in self.served:
            self.answers[host] = await self._answer_of(host)

    async def _answer_of(self, host: str) -> bytes | str:
        try:
            with trio.fail_after(5):
                async with await trio.open_tcp_stream(host, 7) as stream:
                    await stream.send_all(b"hello")
                    return await stream.receive_some(100)
        except (OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
            return type(error).__name__

    @invariant(healed=True)
    def the_link_is_whole_again(self) -> None:
        self.world.run(self.talk)
        assert {b"hello"} == set(self.answers.values())


class TalkingToTwo(Talking):
    """Two servers, two links."""

    served: ClassVar[tuple[str, ...]] = ("a.test", "b.test")
    last: ClassVar[TalkingToTwo]

    def setup(self) -> None:
        type(self).last = self
        self.after_cut: dict[str, bytes | str] = {}
        super().setup()

    @rule()
    def look(self) -> None:
        self.after_cut = dict(self.answers)


def test_links_break_with_a_server_of_ones_own() -> None:
    """No chaos server is needed: what listens has a link."""
    run = replay(Talking, story("cut", "talk", "heal_link", "talk"), aloud=True)

    assert (None, {}) == (run.error, run.skipped)
    assert "state.chaos.cut()" in [line.strip() for line in run.lines]


def test_of_several_hosts_one_is_drawn_and_named() -> None:
    """A partition between a client and one of its servers; the line of the step names which."""
    program = story("cut", "talk", "look", decisions=[Decision(1, "link host", 0, 1)])

    run = replay(TalkingToTwo, program, aloud=True)

    assert (None, {}) == (run.error, run.skipped)
    assert "state.chaos.cut('b.test')" in [line.strip() for line in run.lines]
    assert {"a.test": b"hello", "b.test": "TooSlowError"} == TalkingToTwo.last.after_cut


def test_the_rest_of_several_hosts_can_break_as_well() -> None:
    """A second cut means the link that is still whole; healing then takes one at a time."""
    steps = ("cut", "cut", "cut", "heal_link", "talk", "look")

    run = replay(TalkingToTwo, story(*steps))

    assert (None, [3]) == (run.error, sorted(run.skipped))
    assert {"a.test": b"hello", "b.test": "TooSlowError"} == TalkingToTwo.last.after_cut


def test_the_hosts_whose_links_break_can_be_declared() -> None:
    """The database stays reachable where the class says so."""

    class OnlyB(TalkingToTwo):
        link_hosts: ClassVar[tuple[str, ...]] = ("b.test",)

    run = replay(OnlyB, story("cut", "talk", "look"))

    assert (None, {}) == (run.error, run.skipped)
    assert {"a.test": b"hello", "b.test": "TooSlowError"} == OnlyB.last.after_cut


def test_a_search_breaks_the_links_of_every_host() -> None:
    """No host has to be declared, and each fault has its effect."""

    class Breaking(TalkingToTwo):
        links: ClassVar[tuple[str, ...]] = ("cut", "refuse")  # no connection outlives a step

    run_machine(Breaking, QUICK)


def test_without_a_host_there_is_no_link_that_could_break() -> None:
    """By hand it is an error that says what to call; the rule waits until something listens."""

    class Silent(ChaosMachine):
        links: ClassVar[tuple[str, ...]] = ("reset",)

        @rule()
        def nothing(self) -> None:
            """A step."""

    assert [1] == sorted(replay(Silent, story("reset", "nothing")).skipped)
    with pytest.raises(NotExercised, match="reset"):
        run_machine(Silent, QUICK)
    with VirtualWorld() as world:
        with pytest.raises(PlanError, match=r"call chaos\.serve\(\) or world\.serve"):
            Chaos(world).cut()
        with pytest.raises(WorldError, match=r"no host 'nowhere\.test'"):
            Chaos(world).cut("nowhere.test")


def rules_of(machine: type[ChaosMachine]) -> set[str]:
    """The names of the machine's rules."""
    return {rule.function.__name__ for rule in machine.setup_state().rules}


def test_a_derived_machine_takes_chaos_rules_away() -> None:
    """What it does not declare it does not do, and it may declare it again further down."""

    class Calm(Talking):
        links: ClassVar[tuple[str, ...]] = ()

    class Cutting(Calm):
        links: ClassVar[tuple[str, ...]] = ("cut",)

    class Failing(Cutting):
        links: ClassVar[tuple[str, ...]] = ()
        faults: ClassVar[tuple[type[Fault], ...]] = (status_500,)

    assert {"cut", "refuse", "reset", "half_close", "heal_link"} <= rules_of(Talking)
    assert not {"cut", "refuse", "reset", "half_close", "heal_link"} & rules_of(Calm)
    assert {"cut", "heal_link"} == {"cut", "reset", "heal_link"} & rules_of(Cutting)
    assert {"next_fault", "set_rate"} <= rules_of(Failing)
    assert "cut" not in rules_of(Failing)


def test_a_rule_of_ones_own_stays_where_its_base_had_a_ready_made_one() -> None:
    """A method of the same name takes the place of the chaos rule, in derived machines too."""

    class Own(Talking):
        @rule()
        def cut(self) -> None:
            self.chaos.cut()

    class Derived(Own):
        links: ClassVar[tuple[str, ...]] = ()

    assert "cut" in rules_of(Derived)
    assert vars(Own)["cut"] is Derived.cut
