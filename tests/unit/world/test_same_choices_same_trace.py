"""Same choices, same trace: in this process, in another, and under any hash seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from chaoscheck.world.choices import ScriptedChoices
from tests.programs.chatter import Undivided, chatter


def test_replaying_the_log_of_choices_gives_the_same_trace() -> None:
    """A run drawn from a seed and its replay from the log are one and the same."""
    digest, values = chatter(Undivided(7))

    assert (digest, values) == chatter(ScriptedChoices(values))


def test_other_choices_give_another_trace() -> None:
    """The digest sees what happened: it is not a constant."""
    assert chatter(Undivided(7))[0] != chatter(Undivided(8))[0]


def test_nothing_odd_happens_without_choices() -> None:
    """Beyond the end of a script every value is 0: no fault, shortest time, and one fixed trace."""
    digest, values = chatter(ScriptedChoices())

    assert set(values) == {0}
    assert digest == chatter(ScriptedChoices())[0]


def test_the_trace_is_the_same_in_other_processes_under_other_hash_seeds() -> None:
    """Each run is a whole Python start (~0.5 s): the promise is about other processes."""
    digest, values = chatter(Undivided(7))

    seeded = _elsewhere("1", "seed", "7")
    scripted = _elsewhere("4242", "script", json.dumps(values))

    assert seeded == {"digest": digest, "choices": values}
    assert scripted == {"digest": digest, "choices": values}


def _elsewhere(hash_seed: str, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tests.programs.chatter", *arguments],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)
