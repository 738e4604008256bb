"""docs/clients.md, made by running the clients: what each does under a fault of each family.

``python -m tests.contract.clients_page`` prints the page. Clients that are not installed here keep
the row that stands in the page; standard error names them.
"""

from __future__ import annotations

import dataclasses
import sys

from tests.architecture.checkout import ROOT
from tests.contract.client_programs import GROUPS, CannotRun
from tests.contract.client_runs import SCENES, SILENCE_S, Scene, rows_of

__all__ = ["PAGE", "kept_row", "page"]

PAGE = ROOT / "docs" / "clients.md"

INTRODUCTION = f"""# What clients do under faults

Made by `python -m tests.contract.clients_page`, which runs the clients, as they are, in processes
of their own against chaos servers on TCP; `tests/contract/test_clients_page.py` runs every row
again. The clients have their default retries (tenacity: three attempts at what requests does).

A column is one fault of a family, for a plain answer, a stream, or a plain answer that calls a
tool: there the client insists on a call, and what its caller gets is the call's arguments; a fault
that its API cannot say does not matter to it. A cell says what the client does when only the first
request meets the fault, and, behind `else`, when every request meets it:

- **recovers**: its caller gets the whole answer, after more than one request.
- **whole**: its caller gets the whole answer, from one request: the fault does not matter to it.
- **raises**: its caller gets this exception.
- **accepts a truncated stream**: its caller gets a part of the answer, and no error.
- **asks anew**: it sends another question, which quotes the error, and takes the answer to that.
- **accepts a wrong answer**: its caller gets another text or other arguments, or none, and no
  error.
- **hangs**: nothing comes of it in 40 s.

`waits` is how long the client waits for a server that sends nothing, unless its user says
otherwise; under `stall_before_headers` its time-out is {SILENCE_S:g} s, and requests are not
counted. Elsewhere a number of requests is that of the outcome before it.
"""


def page() -> str:
    """The whole page, as the clients of this machine are."""
    heads = ["client", "waits", *(_head(scene) for scene in SCENES)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for group in GROUPS:
        try:
            lines += rows_of(group.program())
        except CannotRun as error:
            sys.stderr.write(f"{', '.join(group.names)}: kept as they were: {error}\n")
            lines += [kept_row(name) for name in group.names]
    return INTRODUCTION + "\n" + "\n".join(lines) + "\n"


def kept_row(name: str) -> str:
    """The client's row as it stands in the page; empty if there is none."""
    rows = PAGE.read_text(encoding="utf-8").splitlines() if PAGE.exists() else []
    return next((row for row in rows if row.startswith(f"| {name} ")), "")


def _head(scene: Scene) -> str:
    """The family, the fault with the parameters that are not its defaults, and what is asked."""
    given = [
        f"{field.name}={getattr(scene.fault, field.name)!r}"
        for field in dataclasses.fields(scene.fault)
        if getattr(scene.fault, field.name) != field.default
    ]
    fault = scene.fault.name + (f"({', '.join(given)})" if given else "")
    kind = "tool call" if scene.called else "stream" if scene.streamed else "plain"
    return f"{scene.family}: `{fault}`, {kind}"


if __name__ == "__main__":
    sys.stdout.write(page())
