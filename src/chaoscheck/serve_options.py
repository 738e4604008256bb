"""What ``chaoscheck serve`` can be asked for: its options, and what they name.

A server has to be ready at once, so its options are read by argparse: typer, which imports
pydantic, would add 65 ms.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from chaoscheck.errors import PlanError
from chaoscheck.serve_output import refuse
from chaoscheck.suggestions import unknown_name
from chaoscheck.world.ambient import new_id

if TYPE_CHECKING:
    from chaoscheck.plan.fault import Fault
    from chaoscheck.plan.fault_plan import FaultPlan

__all__ = ["ServeOptions", "environment_format", "parsed", "served_plan", "served_providers"]

ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What ``chaoscheck serve`` was asked for; None where a default depends on the rest."""

    provider: str = ALL
    host: str = "127.0.0.1"
    port: int = 0
    plan: Path | None = None
    preset: str | None = None
    fault: tuple[str, ...] = ()
    tokens_per_minute: int | None = None
    context_window: tuple[str, ...] = ()
    base_latency: str | None = None
    first_token: str | None = None
    between_tokens: str | None = None
    seed: int | None = None
    admin_token: str | None = None
    admin_token_file: Path | None = None
    as_json: bool = False
    print_env: str | None = None
    ledger: Path | None = None
    ledger_prompts: bool = False
    ledger_keys: bool = False
    lasts_s: float | None = None
    allow_external: bool = False
    record: Path | None = None
    upstream: str | None = None
    upstream_timeout: float | None = None
    replay: Path | None = None
    cors_origin: tuple[str, ...] = ()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        refuse(message)


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
    _add_plan_options(parser)
    add("--seed", type=int, help="by default the plan file's, else a fresh one")
    add(
        "--admin-token",
        metavar="TOKEN",
        help="opens the admin endpoints; default: that of "
        "CHAOSCHECK_ADMIN_TOKEN, else a random one",
    )
    add("--admin-token-file", type=Path, metavar="FILE", help="a file that holds that token alone")
    add("--json", dest="as_json", action="store_true", help="say it as one line of JSON")
    add(
        "--print-env",
        nargs="?",
        const="sh",
        metavar="FORMAT",
        help="write the environment variables by which clients find it, as sh (default), fish, "
        "powershell, dotenv or json; stdout gets nothing else and is closed",
    )
    add("--ledger", type=Path, metavar="FILE", help="keep every exchange in this SQLite file")
    add("--ledger-prompts", action="store_true", help="keep the beginning of prompts there, too")
    add("--ledger-keys", action="store_true", help="keep request keys there as they were sent")
    add("--for", dest="lasts_s", type=float, metavar="SECONDS", help="end after so long")
    add("--allow-external", action="store_true", help="let --host be reachable from outside")
    _add_asked_by(add)
    return parser


def _add_asked_by(add: Callable[..., object]) -> None:
    """What is asked in the place of our own APIs, and which pages may ask."""
    add("--record", type=Path, metavar="FILE", help="keep what --upstream answers in this file")
    add("--upstream", metavar="URL", help="a provider that is asked, as https://api.openai.com")
    add("--upstream-timeout", type=float, metavar="SECONDS", help="for each piece; default 600")
    add("--replay", type=Path, metavar="FILE", help="answer from a file of --record")
    add(
        "--cors-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let pages of this origin ask from a browser, as http://localhost:3000, or * for "
        "those of any; repeatable",
    )


def _add_plan_options(parser: argparse.ArgumentParser) -> None:
    """What goes wrong, what is limited and how long answers take."""
    add = parser.add_argument
    add("--plan", type=Path, metavar="FILE", help="a plan, as TOML or JSON")
    add("--preset", metavar="NAME", help="a ready-made plan; `chaoscheck presets` lists them")
    add(
        "--fault",
        action="append",
        default=[],
        metavar="NAME=RATE[@TARGET]",
        help="a fault and its share of the requests, in the place of the plan's; repeatable; NAME "
        "may have parameters: 'reset_mid_body(after_bytes=17)=0.2'; TARGET is a provider, "
        "model:NAME, a path, or some of them: 'status_529=0.5@anthropic,model:claude-*'",
    )
    add("--tokens-per-minute", type=int, metavar="N", help="a quota of tokens for each API key")
    add(
        "--context-window",
        action="append",
        default=[],
        metavar="[MODEL=]TOKENS",
        help="how many tokens prompt and answer may have, of models of that name or pattern or of "
        "all; in the place of the plan's; repeatable: the first that fits counts",
    )
    add("--base-latency", metavar="WAIT", help="before any answer; see --between-tokens")
    add("--first-token", metavar="WAIT", help="before the first token, on top of that")
    add(
        "--between-tokens",
        metavar="WAIT",
        help="seconds, or a distribution: 'lognormal(p50_s=0.02, p99_s=0.2)', uniform, normal, "
        "exponential; in the place of the plan's",
    )


def parsed(arguments: Sequence[str]) -> ServeOptions:
    """The options that these arguments say; SystemExit(2) after a line on stderr if they do not."""
    given = vars(_parser().parse_args(arguments))
    names = ("fault", "cors_origin", "context_window")
    return ServeOptions(**{**given, **{name: tuple(given[name]) for name in names}})


def served_plan(options: ServeOptions) -> FaultPlan:
    """The plan of a server with these options; PlanError names what is wrong with them."""
    if options.plan is not None and options.preset is not None:
        raise PlanError("--plan and --preset exclude each other: a preset is a whole plan")
    from chaoscheck.plan.documents.overriding import with_waits

    plan = _with_faults(_base_plan(options), options.fault)
    waits = {
        "base_latency_s": options.base_latency,
        "first_token_s": options.first_token,
        "token_s": options.between_tokens,
    }
    plan = with_waits(plan, {name: text for name, text in waits.items() if text is not None})
    if options.tokens_per_minute is not None:
        from chaoscheck.plan.limits import TokenQuota

        quota = TokenQuota(tokens=options.tokens_per_minute)
        plan = replace(plan, limits=(*plan.limits, quota))
    if options.context_window:
        plan = replace(plan, context_window=tuple(map(_window, options.context_window)))
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


def _window(text: str) -> tuple[str, int]:
    """What one ``--context-window`` says: a pattern of model names, and tokens."""
    pattern, equals, tokens = text.rpartition("=")
    if not tokens.isascii() or not tokens.isdigit() or len(tokens) > 10:
        raise PlanError(f"--context-window must be TOKENS or MODEL=TOKENS, got {text[:100]!r}")
    return pattern if equals else "*", int(tokens)


def _with_faults(plan: FaultPlan, texts: Sequence[str]) -> FaultPlan:
    """``plan`` with what each ``--fault`` says; of those that are aimed, the first goes first."""
    from chaoscheck.plan.documents.overriding import with_aimed_faults, with_faults

    for_all: dict[Fault | str, float] = {}
    aimed: dict[tuple[tuple[str, str], ...], dict[Fault | str, float]] = {}
    for text in texts:
        # A fault's parameters end with a bracket, and may hold any sign.
        last = text.rfind(")") + 1
        written, aimed_at, target = text[last:].partition("@")
        fault, rate = _fault_and_rate(text[:last] + written)
        given = aimed.setdefault(_target(text, target), {}) if aimed_at else for_all
        given[fault] = rate
    plan = with_faults(plan, for_all)
    for where, rates in reversed(aimed.items()):
        plan = with_aimed_faults(plan, dict(where), rates)
    return plan


def _target(text: str, target: str) -> tuple[tuple[str, str], ...]:
    """What a ``--fault`` is aimed at: ``openai``, ``model:gpt-*``, ``/v1/*``, or some of them."""
    where: dict[str, str] = {}
    for part in target.split(","):
        if part.startswith(("/", "*")):
            name, given = "path", part
        elif part.startswith("model:"):
            name, given = "model", part.removeprefix("model:")
        else:
            name, given = "provider", part
        if not given or name in where:
            raise PlanError(
                "--fault NAME=RATE@TARGET: TARGET must be a provider, model:NAME and a path "
                f"that begins with '/', or some of them with commas between, got {text!r}"
            )
        where[name] = given
    return tuple(sorted(where.items()))


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


def served_providers(options: ServeOptions) -> list[str] | None:
    """The providers that are served, by name; None is all. PlanError for an unknown one."""
    if options.provider == ALL:
        return None
    legal = _legal_providers()
    if options.provider not in legal:
        raise PlanError(unknown_name("provider", options.provider, legal))
    return [options.provider]


def environment_format(options: ServeOptions) -> str | None:
    """How the environment of clients is written, if at all; PlanError for an unknown format."""
    from chaoscheck.server.client_environment import ENVIRONMENT_FORMATS

    asked = options.print_env
    if asked is not None and asked not in ENVIRONMENT_FORMATS:
        raise PlanError(f"--print-env: {unknown_name('format', asked, ENVIRONMENT_FORMATS)}")
    return asked


def _legal_providers() -> tuple[str, ...]:
    from chaoscheck.server.settings import PROVIDERS

    return (*PROVIDERS, ALL)
