"""What laws say they judged and skipped, and when a run is refused for it."""

from __future__ import annotations

from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import settings

from chaoscheck import ChaosMachine, invariant, precondition, rule
from chaoscheck.errors import NotExercised, PlanError
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.faults.status_429 import Status429
from chaoscheck.plan.faults.status_500 import Status500
from chaoscheck.stateful.running import run_machine

SETTINGS = settings(max_examples=25, database=None, deadline=None)
Faults = tuple[type[Fault], ...]


class Asking(ChaosMachine):
    """Asks a server that answers with one kind of error; replies are kept."""

    faults: ClassVar[Faults] = (Status500,)

    def setup(self) -> None:
        """A server and no reply yet."""
        self.server = self.chaos.serve()
        self.statuses: list[int] = []

    @rule()
    async def ask(self) -> None:
        """One request over a connection of its own."""
        async with httpx.AsyncClient(verify=False) as client:
            reply = await client.get("http://api.test/v1/models")
            self.statuses.append(reply.status_code)


def law_of(machine: Any, name: str) -> tuple[int, int, dict[str, int]]:
    """How often the law was checked, and how many cases it judged and skipped."""
    law = machine._tally.laws[name]
    return law.checked, law.judged, dict(law.skipped)


def test_a_law_that_says_nothing_judges_what_happened_before_it_ran() -> None:
    """Simple machines need no ceremony: each check is one case, and its faults are judged."""

    class Plain(Asking):
        @invariant()
        def statuses_are_known(self) -> None:
            """Good, or the fault."""
            assert {*self.statuses} <= {200, 500}

    run_machine(Plain, SETTINGS)

    checked, judged, skipped = law_of(Plain, "statuses_are_known")
    assert checked == judged > 0
    assert skipped == {}
    assert 0 < Plain._tally.judged["status_500"] <= Plain._tally.hits["status_500"]


def test_a_law_that_only_ever_skips_is_named_with_its_reasons() -> None:
    """It has tested nothing, whatever the other laws did."""

    class Shy(Asking):
        @invariant()
        def statuses_are_known(self) -> None:
            """Another law, which is all right."""
            assert {*self.statuses} <= {200, 500}

        @invariant()
        def errors_are_explained(self) -> None:
            """Looks the other way."""
            self.chaos.skipped("the server may have failed")

    with pytest.raises(NotExercised) as refused:
        run_machine(Shy, SETTINGS)

    assert "Shy.errors_are_explained judged nothing" in str(refused.value)
    assert "the server may have failed (" in str(refused.value)


def test_a_fault_that_every_law_skips_is_not_exercised() -> None:
    """Injected, felt, and no law looked: the run says so."""

    class Blind(Asking):
        @invariant()
        def statuses_are_known(self) -> None:
            """Judges only what no fault touched."""
            if self.chaos.hits()["status_500"]:
                self.chaos.skipped("a fault came")
                return
            assert {*self.statuses} <= {200}

    with pytest.raises(NotExercised, match="no law judged what became of them: status_500"):
        run_machine(Blind, SETTINGS)


def test_a_law_may_exempt_one_fault_and_judge_the_others() -> None:
    """What the exempted one did is judged by no law; the other one is."""

    class Partial(Asking):
        faults: ClassVar[Faults] = (Status429, Status500)

        @invariant()
        def statuses_are_known(self) -> None:
            """Says that it does not look at refusals."""
            self.chaos.skipped("refusals are another law's", Status429)
            assert {*self.statuses} <= {200, 429, 500}

    with pytest.raises(NotExercised, match="became of them: status_429") as refused:
        run_machine(Partial, SETTINGS)

    assert "status_500" not in str(refused.value)


def test_once_a_law_names_faults_only_named_ones_count() -> None:
    """A law about something else is no witness for them."""

    class Naming(Asking):
        faults: ClassVar[Faults] = (Status429, Status500)

        @invariant()
        def each_error_is_explained(self) -> None:
            """Judges each exchange with its fault, but forgets about refusals."""
            for exchange in self.server.ledger:
                if exchange.fault_name != "status_429":
                    assert exchange.status == (500 if exchange.fault else 200)
                    self.chaos.judged(exchange.fault_name)

        @invariant()
        def nothing_is_lost(self) -> None:
            """Runs to its end as well, and looks elsewhere."""
            assert len(self.server.ledger) == len(self.statuses)

    with pytest.raises(NotExercised, match="became of them: status_429"):
        run_machine(Naming, SETTINGS)

    assert Naming._tally.hits["status_500"] >= Naming._tally.judged["status_500"] > 0


def test_a_machine_without_laws_judges_in_its_rules() -> None:
    """Rules assert, too: an example that passed has judged its faults."""

    class Ruled(Asking):
        @rule()
        async def ask_and_look(self) -> None:
            """The law is in the rule."""
            await self.ask()
            assert self.statuses[-1] in (200, 500)

    run_machine(Ruled, SETTINGS)

    assert Ruled._tally.judged["status_500"] == Ruled._tally.hits["status_500"] > 0


def test_a_rule_may_name_what_it_judged() -> None:
    """It is counted under the rules, and is as good as a law's word."""

    class Ruled(Asking):
        @rule()
        async def ask_and_look(self) -> None:
            """The law is in the rule."""
            await self.ask()
            assert self.statuses[-1] in (200, 500)
            if self.statuses[-1] == 500:
                self.chaos.judged("status_500")

    run_machine(Ruled, SETTINGS)

    assert Ruled._tally.laws["(in rules)"].judged > 0
    assert Ruled._tally.named["status_500"] > 0


def test_what_a_law_says_must_make_sense() -> None:
    """A reason is given, and faults are called by their names: else nothing is counted."""

    class Wrong(Asking):
        @rule()
        def say(self) -> None:
            """Both mistakes, and names of every kind."""
            with pytest.raises(PlanError, match="needs the reason"):
                self.chaos.skipped("")
            with pytest.raises(PlanError, match="unknown fault 'statsu_500'; did you mean"):
                self.chaos.judged("statsu_500")
            self.chaos.judged(Status429(), Status500, "cut", "status_500(retry_after_s=1)", None)

    run_machine(Wrong, SETTINGS)


def test_rules_and_laws_that_never_ran_say_what_kept_them() -> None:
    """A precondition, an empty bundle, a world that never rests."""

    class Idle(Asking):
        def resting(self) -> bool:
            """Never."""
            return False

        @precondition(lambda self: False)
        @rule()
        def impossible(self) -> None:
            """Cannot run."""

        @invariant(at_rest=True)
        def at_rest_all_is_well(self) -> None:
            """Is never due."""

        @precondition(lambda self: False)
        @invariant()
        def never_asked(self) -> None:
            """Is never due either."""

        @invariant()
        def statuses_are_known(self) -> None:
            """Good, or the fault."""
            assert {*self.statuses} <= {200, 500}

    run_machine(Idle, SETTINGS)

    statistics = Idle._tally.statistics("Idle")
    marks = {each.name: each.mark for each in statistics.rules if not each.ready_made}
    marks |= {each.name: each.mark for each in statistics.laws}
    assert {name: mark for name, mark in marks.items() if mark} == {
        "impossible": "never ran: its precondition never held",
        "at_rest_all_is_well": "never checked: the world was never at rest",
        "never_asked": "never checked: its precondition never held",
    }
