"""``chaoscheck serve``: the chaos server on the command line.

Exit code 0: good, also when a signal ended it; 1: the ledger could not be written to its end;
2: bad usage, said in one line before anything is opened. A server has to be ready at once, so
its options are read by argparse: typer, which imports pydantic, would add 65 ms.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from chaoscheck.errors import PlanError, WorldError
from chaoscheck.suggestions import unknown_name
from chaoscheck.world.ambient import new_id

if TYPE_CHECKING:
    import trio

    from chaoscheck.plan.fault import Fault
    from chaoscheck.plan.fault_plan import FaultPlan
    from chaoscheck.server.books.ledger_file import LedgerFile
    from chaoscheck.server.chaos_server import ChaosServer

__all__ = ["ServeOptions", "parsed", "serve", "served_plan"]

ALL = "all"
FLUSH_EVERY_S = 0.5  # a crash of the machine loses half a second of the ledger at most


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What ``chaoscheck serve`` was asked for; None where a default depends on the rest."""

    provider: str = ALL
    host: str = "127.0.0.1"
    port: int = 0
    plan: Path | None = None
    preset: str | None = None
    fault: tuple[str, ...] = ()
    seed: int | None = None
    admin_token: str | None = None
    admin_token_file: Path | None = None
    as_json: bool = False
    ledger: Path | None = None
    ledger_prompts: bool = False
    ledger_keys: bool = False
    lasts_s: float | None = None
    allow_external: bool = False
    record: Path | None = None
    upstream: str | None = None
    upstream_timeout: float | None = None
    replay: Path | None = None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _refuse(message)


def _parser() -> _Parser:
    parser = _Parser(
        prog="chaoscheck serve",
        description="Run a chaos server until SIGINT or SIGTERM; says where it is once it is "
        "ready. Without a plan, a preset or a fault it answers well, always.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--provider", default=ALL, help=f"whose APIs: {', '.join(_legal_providers())} (default)")
    add("--host", default="127.0.0.1", help="where to listen; by default 127.0.0.1")
    add("--port", type=int, default=0, help="0, the default, is any free one")
    add("--plan", type=Path, metavar="FILE", help="a plan, as TOML or JSON")
    add("--preset", metavar="NAME", help="a ready-made plan; `chaoscheck presets` lists them")
    add(
        "--fault",
        action="append",
        default=[],
        metavar="NAME=RATE",
        help="a fault and its share of the requests, in the place of the plan's; repeatable; NAME "
        "may have parameters: 'reset_mid_body(after_bytes=17)=0.2'",
    )
    add("--seed", type=int, help="by default the plan file's, else a fresh one")
    add(
        "--admin-token",
        metavar="TOKEN",
        help="opens the admin endpoints; default: that of "
        "CHAOSCHECK_ADMIN_TOKEN, else a random one",
    )
    add("--admin-token-file", type=Path, metavar="FILE", help="a file that holds that token alone")
    add("--json", dest="as_json", action="store_true", help="say it as one line of JSON")
    add("--ledger", type=Path, metavar="FILE", help="keep every exchange in this SQLite file")
    add("--ledger-prompts", action="store_true", help="keep the beginning of prompts there, too")
    add("--ledger-keys", action="store_true", help="keep request keys there as they were sent")
    add("--for", dest="lasts_s", type=float, metavar="SECONDS", help="end after so long")
    add("--allow-external", action="store_true", help="let --host be reachable from outside")
    add("--record", type=Path, metavar="FILE", help="keep what --upstream answers in this file")
    add("--upstream", metavar="URL", help="a provider that is asked, as https://api.openai.com")
    add("--upstream-timeout", type=float, metavar="SECONDS", help="for each piece; default 600")
    add("--replay", type=Path, metavar="FILE", help="answer from a file of --record")
    return parser


def parsed(arguments: Sequence[str]) -> ServeOptions:
    """The options that these arguments say; SystemExit(2) after a line on stderr if they do not."""
    given = vars(_parser().parse_args(arguments))
    return ServeOptions(**{**given, "fault": tuple(given["fault"])})


def serve(arguments: Sequence[str]) -> NoReturn:
    """Run ``chaoscheck serve`` with these arguments; ends with SystemExit, as promised above."""
    options = parsed(arguments)
    try:
        service = _Service(options)
        import trio

        server = trio.run(service.run)
    except PlanError as error:
        _refuse(str(error))
    _say(_summary(server), sys.stderr)
    if service.trouble is not None:
        _say(f"Error: {service.trouble}", sys.stderr)
        raise SystemExit(1)
    raise SystemExit(0)


# ---------------------------------------------------------------------- what is served


def served_plan(options: ServeOptions) -> FaultPlan:
    """The plan of a server with these options; PlanError names what is wrong with them."""
    if options.plan is not None and options.preset is not None:
        raise PlanError("--plan and --preset exclude each other: a preset is a whole plan")
    from chaoscheck.plan.documents.overriding import with_faults

    plan = with_faults(_base_plan(options), dict(map(_fault_and_rate, options.fault)))
    seed = options.seed
    if seed is None:
        seed = plan.seed if options.plan is not None else _fresh_seed()
    return replace(plan, seed=seed)


def _base_plan(options: ServeOptions) -> FaultPlan:
    from chaoscheck.plan.fault_plan import FaultPlan

    if options.plan is not None:
        from chaoscheck.plan.documents.plan_document import read_plan

        return read_plan(options.plan)
    if options.preset is not None:
        from chaoscheck.plan.documents.presets import preset

        return preset(options.preset).plan
    return FaultPlan()


def _fault_and_rate(text: str) -> tuple[Fault | str, float]:
    """What one ``--fault`` says; its parameters may hold equals signs, too."""
    from chaoscheck.plan.fault_plan import as_fault

    name, equals, rate_text = text.rpartition("=")
    try:
        rate = float(rate_text) if equals else math.nan
    except ValueError:
        rate = math.nan
    if math.isnan(rate):
        raise PlanError(f"--fault must be NAME=RATE with a rate in [0, 1], got {text!r}")
    return as_fault(name), rate


def _fresh_seed() -> int:
    return int(new_id()[:8], 16)  # 32 bits: short enough to type again


def _providers(options: ServeOptions) -> list[str] | None:
    if options.provider == ALL:
        return None
    legal = _legal_providers()
    if options.provider not in legal:
        raise PlanError(unknown_name("provider", options.provider, legal))
    return [options.provider]


def _legal_providers() -> tuple[str, ...]:
    from chaoscheck.server.settings import PROVIDERS

    return (*PROVIDERS, ALL)


# ---------------------------------------------------------------------- how it runs


class _Service:
    """A server as it was asked for; PlanError for what can be refused before it runs.

    ``trouble`` tells what kept the ledger from being written to its end, if anything did.
    """

    def __init__(self, options: ServeOptions) -> None:
        from chaoscheck.server.admin_token import admin_token
        from chaoscheck.server.replay.chosen_source import ChosenSource
        from chaoscheck.server.standalone import Address, require_duration

        self._options = options
        self._token = admin_token(options.admin_token, options.admin_token_file)
        self._providers = _providers(options)
        self._address = Address(
            host=options.host, port=options.port, allow_external=options.allow_external
        )
        require_duration("--for", options.lasts_s)
        if options.ledger is None and (options.ledger_prompts or options.ledger_keys):
            raise PlanError("--ledger-prompts and --ledger-keys go with --ledger FILE")
        self._source = ChosenSource(
            record=options.record,
            upstream=options.upstream,
            upstream_timeout_s=options.upstream_timeout,
            replay=options.replay,
        )
        self._replay = self._source.check()
        self._plan = served_plan(options)
        self.trouble: str | None = None

    async def run(self) -> ChaosServer:
        """Serve until told to end; the server, at rest, for its counters."""
        from chaoscheck.server.chaos_server import ChaosServer
        from chaoscheck.server.settings import ServerSettings
        from chaoscheck.server.standalone import Address, bind

        # The admin endpoints have a port of their own as well, which no fault ever refuses.
        async with await bind(self._address) as listener, await bind(Address()) as admin:
            file = self._ledger_file()
            try:
                async with self._source.opened(self._replay) as source:
                    settings = ServerSettings(
                        providers=self._providers,
                        sink=None if file is None else file.add,
                        admin_token=self._token,
                        source=source,
                    )
                    server = ChaosServer(self._plan, settings=settings)
                    await self._serve(server, (listener, admin), file)
            except WorldError as error:
                self.trouble = str(error)
            finally:
                self._close(file)
        return server

    async def _serve(
        self,
        server: ChaosServer,
        listeners: tuple[trio.SocketListener, trio.SocketListener],
        file: LedgerFile | None,
    ) -> None:
        import trio

        from chaoscheck.server.standalone import run_until_told, url_of

        listener, admin = listeners

        def announce() -> None:
            self._announce(url_of(listener), url_of(admin))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.serve_admin, [admin])
            if file is not None:
                nursery.start_soon(self._flush_now_and_then, file)
            await run_until_told(server, listener, announce, lasts_s=self._options.lasts_s)
            nursery.cancel_scope.cancel()

    def _ledger_file(self) -> LedgerFile | None:
        if self._options.ledger is None:
            return None
        from chaoscheck.server.books.ledger_file import LedgerFile

        return LedgerFile(
            self._options.ledger,
            prompts=self._options.ledger_prompts,
            keys=self._options.ledger_keys,
        )

    async def _flush_now_and_then(self, file: LedgerFile) -> None:
        # A full disk is no reason to stop serving: what waits is written when there is room. It is
        # said once, when it begins, and once more when it begins again.
        import trio

        said = ""
        while True:
            await trio.sleep(FLUSH_EVERY_S)
            try:
                file.flush()
            except WorldError as error:
                if not said:
                    _say(f"Warning: {error}", sys.stderr)
                said = str(error)
            else:
                said = ""

    def _close(self, file: LedgerFile | None) -> None:
        try:
            if file is not None:
                file.close()
        except WorldError as error:
            self.trouble = str(error)

    def _announce(self, url: str, admin_url: str) -> None:
        from chaoscheck.server.admin import ADMIN_PREFIX

        ready = {
            "url": url,
            "admin_url": admin_url + ADMIN_PREFIX,
            "token": self._token,
            "seed": self._plan.seed,
            "pid": os.getpid(),
            "provider": self._options.provider,
        }
        if self._options.as_json:
            _say(json.dumps(ready), sys.stdout)
            return
        lines = [f"{'chaos server':14}{url} ({self._options.provider})"]
        told = ("admin_url", "token", "seed", "pid")
        lines += [f"{what.replace('_', ' '):14}{ready[what]}" for what in told]
        _say("\n".join([*lines, "Ctrl-C or SIGTERM ends it."]), sys.stdout)


def _summary(server: ChaosServer) -> str:
    """What happened, in one line."""
    hits = server.hits
    kinds = ", ".join(f"{name} {count}" for name, count in hits.most_common())
    told = f"{server.ledger.total} requests, {hits.total()} faults hit"
    return f"{told}: {kinds}" if kinds else told


# ---------------------------------------------------------------------- what it says


def _refuse(reason: str) -> NoReturn:
    """Say in one line what is wrong, whatever stands in it, and exit 2."""
    line = " ".join(reason.split())
    _say(f"Error: {''.join(c if c.isprintable() else '?' for c in line)}", sys.stderr)
    raise SystemExit(2)


def _say(line: str, stream: TextIO | None) -> None:
    """Write a line at once: whoever started us waits for it. Nobody may be there to read it."""
    if stream is None:
        return
    try:
        stream.write(line + "\n")
        stream.flush()
    except BrokenPipeError:
        # What the stream still holds would fail once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
