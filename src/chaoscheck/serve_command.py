"""``chaoscheck serve``: the chaos server on the command line.

Exit code 0: good, also when a signal ended it; 1: the ledger could not be written to its end;
2: bad usage, said in one line before anything is opened.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn, TextIO

from chaoscheck.errors import PlanError, WorldError
from chaoscheck.serve_options import (
    ServeOptions,
    environment_format,
    parsed,
    served_plan,
    served_providers,
)
from chaoscheck.serve_output import refuse, say, write_to_nowhere

if TYPE_CHECKING:
    import trio

    from chaoscheck.server.books.ledger_writer import LedgerWriter
    from chaoscheck.server.chaos_server import ChaosServer

__all__ = ["serve"]

# While the worker thread or the ledger's is busy, the server waits so long for its turn.
_SWITCH_INTERVAL_S = 0.001


def serve(arguments: Sequence[str]) -> NoReturn:
    """Run ``chaoscheck serve`` with these arguments; ends with SystemExit, as promised above."""
    options = parsed(arguments)
    try:
        service = _Service(options)
        import trio

        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        server = trio.run(service.run)
    except PlanError as error:
        refuse(str(error))
    say(_summary(server), sys.stderr)
    if service.trouble is not None:
        say(f"Error: {service.trouble}", sys.stderr)
        raise SystemExit(1)
    raise SystemExit(0)


# ---------------------------------------------------------------------- how it runs


class _Service:
    """A server as it was asked for; PlanError for what can be refused before it runs.

    ``trouble`` tells what kept the ledger from being written to its end, if anything did.
    """

    def __init__(self, options: ServeOptions) -> None:
        from chaoscheck.server.admin_token import admin_token
        from chaoscheck.server.cross_origin import CrossOrigin
        from chaoscheck.server.replay.chosen_source import ChosenSource
        from chaoscheck.server.standalone import Address, require_duration
        from chaoscheck.server.targets import require_reachable

        self._options = options
        self._token = admin_token(options.admin_token, options.admin_token_file)
        self._providers = served_providers(options)
        self._print_env = environment_format(options)
        self._address = Address(
            host=options.host, port=options.port, allow_external=options.allow_external
        )
        CrossOrigin(options.cors_origin)
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
        elsewhere = options.upstream is not None or options.replay is not None
        require_reachable(self._plan, self._providers, any_path=elsewhere)
        self.trouble: str | None = None

    async def run(self) -> ChaosServer:
        """Serve until told to end; the server, at rest, for its counters."""
        from chaoscheck.server.chaos_server import ChaosServer
        from chaoscheck.server.settings import ServerSettings
        from chaoscheck.server.standalone import Address, bind

        # The admin endpoints have a port of their own as well, which no fault ever refuses.
        async with await bind(self._address) as listener, await bind(Address()) as admin:
            ledger = self._ledger_writer()
            try:
                async with self._source.opened(self._replay) as source:
                    settings = ServerSettings(
                        providers=self._providers,
                        sink=None if ledger is None else ledger.add,
                        admin_token=self._token,
                        source=source,
                        worker_thread=True,
                        cors_origins=self._options.cors_origin,
                    )
                    server = ChaosServer(self._plan, settings=settings)
                    await self._serve(server, (listener, admin))
            except WorldError as error:
                self.trouble = str(error)
            finally:
                self._close(ledger)
        return server

    async def _serve(
        self,
        server: ChaosServer,
        listeners: tuple[trio.SocketListener, trio.SocketListener],
    ) -> None:
        import trio

        from chaoscheck.server.standalone import run_until_told, url_of

        listener, admin = listeners

        def announce() -> None:
            self._announce(url_of(listener), url_of(admin))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.serve_admin, [admin])
            await run_until_told(server, listener, announce, lasts_s=self._options.lasts_s)
            nursery.cancel_scope.cancel()

    def _ledger_writer(self) -> LedgerWriter | None:
        if self._options.ledger is None:
            return None
        from chaoscheck.server.books.ledger_file import LedgerFile
        from chaoscheck.server.books.ledger_writer import BUSY_TIMEOUT_S, LedgerWriter

        file = LedgerFile(
            self._options.ledger,
            prompts=self._options.ledger_prompts,
            keys=self._options.ledger_keys,
            busy_timeout_s=BUSY_TIMEOUT_S,
        )
        # A full disk is no reason to stop serving: what waits is written when there is room.
        return LedgerWriter(file, warn=lambda error: say(f"Warning: {error}", sys.stderr)).start()

    def _close(self, ledger: LedgerWriter | None) -> None:
        try:
            if ledger is not None:
                ledger.close()
        except WorldError as error:
            self.trouble = str(error)

    def _announce(self, url: str, admin_url: str) -> None:
        if self._print_env is None:
            self._say_where(url, admin_url, sys.stdout)
            return
        self._say_where(url, admin_url, sys.stderr)
        self._say_environment(url, self._print_env)

    def _say_where(self, url: str, admin_url: str, stream: TextIO | None) -> None:
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
            say(json.dumps(ready), stream)
            return
        lines = [f"{'chaos server':14}{url} ({self._options.provider})"]
        told = ("admin_url", "token", "seed", "pid")
        lines += [f"{what.replace('_', ' '):14}{ready[what]}" for what in told]
        say("\n".join([*lines, "Ctrl-C or SIGTERM ends it."]), stream)

    def _say_environment(self, url: str, written_as: str) -> None:
        """Write the environment of clients to stdout and end that: a shell waits for its end."""
        from chaoscheck.server.client_environment import ENVIRONMENT_FORMATS, client_environment

        variables = client_environment(url, self._providers, os.environ)
        say(ENVIRONMENT_FORMATS[written_as](variables), sys.stdout)
        if sys.stdout is not None:
            write_to_nowhere(sys.stdout)


def _summary(server: ChaosServer) -> str:
    """What happened, in one line."""
    hits = server.hits
    kinds = ", ".join(f"{name} {count}" for name, count in hits.most_common())
    told = f"{server.ledger.total} requests, {hits.total()} faults hit"
    return f"{told}: {kinds}" if kinds else told
