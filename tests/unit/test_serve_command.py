"""The commands ``serve`` and ``presets`` as far as no server runs: options, plans, help."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chaoscheck import cli
from chaoscheck.errors import PlanError
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.distributions import Exponential, Uniform
from chaoscheck.plan.documents.plan_document import read_plan
from chaoscheck.plan.documents.presets import PRESETS
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.limits import TokenQuota
from chaoscheck.plan.replies import Replies
from chaoscheck.serve_options import environment_format, parsed, served_plan, served_providers
from chaoscheck.server.settings import PROVIDERS

PLAN = """
seed = 42

[rates]
"status_429(retry_after_s=1.0)" = 0.5
status_500 = 0.25
"""


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    """A plan with a seed and two rates."""
    file = tmp_path / "plan.toml"
    file.write_text(PLAN, encoding="utf-8")
    return file


def plan_of(*arguments: str) -> FaultPlan:
    """The plan that ``serve`` would go by."""
    return served_plan(parsed(arguments))


@pytest.mark.parametrize("provider", [*PROVIDERS, "all"])
def test_every_provider_of_the_server_is_one_of_the_command(provider: str) -> None:
    """An API that is added is known to the command and named by its help."""
    options = parsed(("--provider", provider))

    assert served_providers(options) == (None if provider == "all" else [provider])
    shown = CliRunner().invoke(cli.app, ["serve", "--help"])
    assert provider in shown.output


def test_by_default_nothing_goes_wrong_and_each_run_has_a_seed_of_its_own() -> None:
    """Without options the server is silent; its seed is fresh."""
    first, second = plan_of(), plan_of()

    assert FaultPlan(seed=first.seed) == first
    assert first.seed != second.seed


def test_a_fault_may_have_parameters_with_equals_signs() -> None:
    """The rate is what follows the last equals sign."""
    plan = plan_of("--fault", "reset_mid_body(after_bytes=17)=0.2", "--fault", "status_500=0.1")

    assert ((faults.reset_mid_body(after_bytes=17), 0.2), (faults.status_500(), 0.1)) == plan.rates


def test_a_token_quota_stands_beside_the_plans_limits(plan_file: Path) -> None:
    """The commonest quota needs no plan file; what is out of range names the value."""
    plan = plan_of("--plan", str(plan_file), "--tokens-per-minute", "30000")

    assert (TokenQuota(tokens=30_000, every_s=60, per="api_key"),) == plan.limits
    with pytest.raises(PlanError, match="tokens must be an integer >= 1, got 0"):
        plan_of("--tokens-per-minute", "0")


def test_context_windows_are_tokens_for_all_models_or_for_some() -> None:
    """The order in which I give them counts; what is written wrong is refused."""
    plan = plan_of("--context-window", "gpt-4*=8192", "--context-window", "128000")

    assert (("gpt-4*", 8192), ("*", 128_000)) == plan.context_window
    for wrong in ("8k", "gpt-4*=", "=8", "m=0", "-1"):
        with pytest.raises(PlanError, match=r"--context-window|context_window"):
            plan_of(f"--context-window={wrong}")


def test_waits_are_seconds_or_distributions(plan_file: Path) -> None:
    """Latency needs no plan file: an option takes the place of what the plan has."""
    waits = ("--base-latency", "exponential(mean_s=0.1)", "--first-token", "0.5")
    plan = plan_of(
        "--plan", str(plan_file), *waits, "--between-tokens", "uniform(low_s=0, high_s=1)"
    )

    assert plan.replies == Replies(
        base_latency_s=Exponential(mean_s=0.1),
        first_token_s=0.5,
        token_s=Uniform(low_s=0, high_s=1),
    )


@pytest.mark.parametrize(
    ("wait", "says"),
    [
        ("-1", "base_latency_s must be a finite number >= 0, got -1.0"),
        ("nan", "base_latency_s must be a finite number >= 0, got nan"),
        ("normal(mean_s=1)", "base_latency_s: normal: sigma_s is missing"),
        ("fast", "base_latency_s: unknown distribution 'fast'"),
    ],
)
def test_a_wait_written_wrong_is_refused(wait: str, says: str) -> None:
    """The message names the setting, the value and what is legal."""
    with pytest.raises(PlanError) as refusal:
        plan_of("--base-latency", wait)

    assert says in str(refusal.value)


def test_a_fault_takes_the_place_of_the_plans_rate_for_its_kind(plan_file: Path) -> None:
    """What I type wins over the file; what I do not mention stays, the seed too."""
    plan = plan_of("--plan", str(plan_file), "--fault", "status_429=0.1")

    assert FaultPlan.of({"status_500": 0.25, "status_429": 0.1}, seed=42) == plan


def test_a_rate_of_nothing_takes_a_fault_out_of_the_plan(plan_file: Path) -> None:
    """--fault NAME=0 is how I leave one out."""
    plan = plan_of("--plan", str(plan_file), "--fault", "status_429=0")

    assert FaultPlan.of({"status_500": 0.25}, seed=42) == plan


def test_one_kind_of_fault_may_be_given_with_several_parameters() -> None:
    """Two cuts at two places are two faults."""
    cuts = ("reset_mid_body(after_bytes=1)", "reset_mid_body(after_bytes=2)")
    plan = plan_of("--fault", f"{cuts[0]}=0.1", "--fault", f"{cuts[1]}=0.2")

    assert FaultPlan.of({cuts[0]: 0.1, cuts[1]: 0.2}).rates == plan.rates


def test_the_seed_i_give_wins(plan_file: Path) -> None:
    """--seed repeats a run, whatever the file says."""
    assert 7 == plan_of("--plan", str(plan_file), "--seed", "7").seed
    assert -1 == plan_of("--seed", "-1").seed


def test_a_preset_is_a_plan() -> None:
    """--preset stress serves what the preset says, on a fresh seed."""
    plan = plan_of("--preset", "stress")

    assert PRESETS["stress"].plan.rates == plan.rates


def test_a_plan_and_a_preset_exclude_each_other(plan_file: Path) -> None:
    """Two whole plans at once are a mistake that I am told of."""
    with pytest.raises(PlanError, match="exclude each other"):
        plan_of("--plan", str(plan_file), "--preset", "stress")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "abc"],
        ["--for", "soon"],
        ["--seed", "1.5"],
        ["--no-such-option"],
        ["extra"],
        ["--prov", "openai"],
    ],
)
def test_what_cannot_be_read_costs_a_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A typing mistake is one line on stderr and exit 2."""
    with pytest.raises(SystemExit) as ended:
        parsed(arguments)

    out, err = capsys.readouterr()
    assert (2, "", 1) == (ended.value.code, out, err.count("\n"))
    assert err.startswith("Error: ")


def test_its_help_names_every_option() -> None:
    """chaoscheck serve --help shows what I can set, also through the console script."""
    result = CliRunner().invoke(cli.app, ["serve", "--help"])

    options = "provider host port plan preset fault seed admin-token json ledger for allow-external"
    assert 0 == result.exit_code
    assert [] == [name for name in options.split() if f"--{name}" not in result.output]


def test_a_fault_is_aimed_at_a_provider_a_model_or_a_path() -> None:
    """NAME=RATE@TARGET; what is aimed at the same goes together, in the order given."""
    lie = "retry_after_garbage(text='a@b=(c)')"
    asked = (
        "status_529=0.5@anthropic",
        "status_500=0.1",
        f"{lie}=0.25@model:gpt-4o:*,/v1/chat/*",
        "status_503=0.25@anthropic",
        "status_500=0@*/embeddings",
    )
    plan = plan_of(*[word for each in asked for word in ("--fault", each)])

    assert plan.seed is not None
    expected = FaultPlan.of(
        {"status_500": 0.1},
        seed=plan.seed,
        aimed=[
            {"provider": "anthropic", "rates": {"status_529": 0.5, "status_503": 0.25}},
            {"model": "gpt-4o:*", "path": "/v1/chat/*", "headers": {lie: 0.25}},
            {"path": "*/embeddings", "rates": {"status_500": 0}},
        ],
    )
    assert expected == plan


@pytest.mark.parametrize(
    "target", ["", "openai,", "openai,azure", "model:", "/a,/b", "model:a,model:b"]
)
def test_a_target_that_names_nothing_or_a_thing_twice_is_refused(target: str) -> None:
    """The message says how a target is written."""
    with pytest.raises(PlanError, match="TARGET must be a provider, model:NAME and a path"):
        plan_of("--fault", f"status_500=0.1@{target}")


def test_the_environment_is_written_for_a_shell_unless_told_otherwise() -> None:
    """--print-env alone means sh; without it nothing is written."""
    asked: tuple[list[str], ...] = (
        [],
        ["--print-env"],
        ["--print-env", "--json"],
        ["--print-env=json"],
    )

    assert [None, "sh", "sh", "json"] == [environment_format(parsed(each)) for each in asked]


def test_the_console_script_hands_bad_options_on() -> None:
    """chaoscheck serve refuses them in the same words, with exit 2."""
    result = CliRunner().invoke(cli.app, ["serve", "--for", "-1", "--fault", "status_500=2"])

    assert (2, 1) == (result.exit_code, result.output.count("\n"))


def test_serving_imports_nothing_heavy() -> None:
    """The command is ready at once: nothing that a server does not need is imported."""
    heavy = ("hypothesis", "httpx", "pytest", "sqlalchemy", "typer", "pydantic", "rich", "anyio")
    program = (
        "import sys, chaoscheck.serve_command, chaoscheck.server.standalone\n"
        "import chaoscheck.plan.documents.overriding, chaoscheck.plan.documents.presets\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert "[]\n" == found.stdout


# ---------------------------------------------------------------------- presets


def test_presets_are_listed_with_what_they_do() -> None:
    """I see each preset's name and a line about it."""
    result = CliRunner().invoke(cli.app, ["presets"])

    assert 0 == result.exit_code
    lines = result.output.splitlines()
    assert list(PRESETS) == [line.split()[0] for line in lines]
    assert all(preset.description in result.output for preset in PRESETS.values())


def test_presets_are_listed_for_scripts() -> None:
    """A script reads the same as JSON."""
    listed = json.loads(CliRunner().invoke(cli.app, ["presets", "--json"]).output)

    assert [(each.name, each.description) for each in PRESETS.values()] == [
        (each["name"], each["description"]) for each in listed
    ]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_printed_as_a_plan_file(name: str, tmp_path: Path) -> None:
    """What is printed is a plan file that I can edit: it reads back as the preset's plan."""
    result = CliRunner().invoke(cli.app, ["presets", name])
    file = tmp_path / "plan.json"
    file.write_text(result.output, encoding="utf-8")

    assert (0, PRESETS[name].plan) == (result.exit_code, read_plan(file))


def test_the_schema_of_plan_files_is_printed() -> None:
    """My editor gets a JSON Schema."""
    result = CliRunner().invoke(cli.app, ["presets", "--schema"])

    assert 0 == result.exit_code
    assert "$schema" in json.loads(result.output)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["stres"], "did you mean 'stress'"), (["stress", "--schema"], "one schema")],
)
def test_a_wrong_question_about_presets_costs_a_line(arguments: list[str], said: str) -> None:
    """An unknown preset is named with the nearest one there is."""
    result = CliRunner().invoke(cli.app, ["presets", *arguments])

    assert (2, 1) == (result.exit_code, result.output.count("\n"))
    assert said in result.output
