"""``chaoscheck serve`` as a process of its own: ready line, admin, signals, ledger, bad input.

Each test runs real processes on the wall clock, a quarter of a second and more for each.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.test_first_machine import run_pytest

ROOT = Path(__file__).parents[2]
QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
PATIENCE_S = 30.0  # a machine under load may be slow; nothing here needs it
END_MAX_S = 2.0


class Serving:
    """A server process and what its ready line said."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
        assert readable, "no ready line"
        self.line = process.stdout.readline()

    @property
    def ready(self) -> dict[str, Any]:
        """The ready line, parsed."""
        found: dict[str, Any] = json.loads(self.line)
        return found

    def ask(self) -> int:
        """The status of one chat request."""
        return self.send("/v1/chat/completions", json.dumps(QUESTION).encode())[0]

    def send(
        self, path: str, body: bytes | None = None, *, token: str = "", method: str | None = None
    ) -> tuple[int, bytes]:
        """Status and body of one request."""
        headers = {"content-type": "application/json"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        url = self.ready["url"] + path
        request = urllib.request.Request(url, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def end(self, by: signal.Signals) -> tuple[int, str, str]:
        """End it by a signal: exit code, and the rest of stdout and stderr."""
        self.process.send_signal(by)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, err


@contextmanager
def serving(*arguments: str) -> Iterator[Serving]:
    """A server process that is ready, and gone afterwards."""
    command = [sys.executable, "-m", "chaoscheck", "serve", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield Serving(process)
        finally:
            process.kill()


def refused(*arguments: str, cwd: Path | None = None) -> str:
    """What a server that must not start says on stderr; it exits 2 and prints nothing else."""
    found = subprocess.run(
        [sys.executable, "-m", "chaoscheck", "serve", "--json", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        cwd=cwd,
    )
    assert (2, "") == (found.returncode, found.stdout), found.stderr
    assert "Traceback" not in found.stderr
    return found.stderr


def rows(ledger: Path) -> int:
    """How many exchanges stand in a ledger file."""
    with closing(sqlite3.connect(ledger)) as database:
        found: int = database.execute("SELECT count(*) FROM exchanges").fetchone()[0]
        return found


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_with_the_ledger_written(
    by: signal.Signals, tmp_path: Path
) -> None:
    """Ready line, requests, faults, signal: exit 0, a row for each request, a line of summary."""
    ledger = tmp_path / "ledger.db"
    with serving("--json", "--fault", "status_429=1.0", "--ledger", str(ledger)) as server:
        assert {"url", "admin_url", "token", "seed", "pid", "provider"} == set(server.ready)
        assert (server.process.pid, "all") == (server.ready["pid"], server.ready["provider"])
        assert [429, 429, 429] == [server.ask() for _ in range(3)]
        code, out, err = server.end(by)

    assert (0, "") == (code, out), err
    assert "3 requests, 3 faults hit: status_429 3\n" == err
    assert 3 == rows(ledger)


def test_an_answer_that_stalls_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """SIGTERM ends it within 2 s, whatever hangs, and what hung is in the ledger."""
    ledger = tmp_path / "ledger.db"
    options = ("--json", "--fault", "stall_before_headers=1", "--ledger", str(ledger))
    with serving(*options) as server:
        host, _, port = server.ready["url"].removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as client:
            body = json.dumps(QUESTION).encode()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}"
            client.sendall(head.encode() + b"\r\n\r\n" + body)
            token = server.ready["token"]
            asked = 0
            while asked < 100 and not _in_flight(server, token):
                asked += 1
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(END_MAX_S)

    assert (0, 1) == (server.process.returncode, rows(ledger))


def test_a_ledger_file_that_is_deleted_is_said_and_costs_the_exit_code(tmp_path: Path) -> None:
    """A ledger that can no longer be kept is an error at the end, not an empty promise."""
    ledger = tmp_path / "ledger.db"
    with serving("--json", "--ledger", str(ledger)) as server:
        assert 200 == server.ask()
        ledger.unlink()
        code, _, err = server.end(signal.SIGTERM)

    assert 1 == code
    assert "Error: ledger file 'ledger.db' was deleted or replaced" in err
    assert "1 requests" in err


def _in_flight(server: Serving, token: str) -> int:
    status, body = server.send("/_chaoscheck/stats", token=token)
    assert status == 200
    found: int = json.loads(body)["in_flight"]
    return found


def test_the_admin_endpoints_open_for_the_token_alone() -> None:
    """With the token I read the plan, queue a fault and see it counted; without it I get 401."""
    with serving("--json", "--seed", "7", "--admin-token", "sesame") as server:
        assert ("sesame", 7) == (server.ready["token"], server.ready["seed"])
        assert 401 == server.send("/_chaoscheck/plan")[0]
        assert 401 == server.send("/_chaoscheck/plan", token="guess")[0]
        status, body = server.send("/_chaoscheck/plan", token="sesame")
        assert (200, 7) == (status, json.loads(body)["seed"])
        queued = json.dumps({"faults": ["status_503"]}).encode()
        assert 200 == server.send("/_chaoscheck/faults", queued, token="sesame")[0]
        assert [503, 200] == [server.ask() for _ in range(2)]
        status, body = server.send("/_chaoscheck/stats", token="sesame")
        assert {"status_503": 1} == json.loads(body)["hits"]
        assert 0 == server.end(signal.SIGTERM)[0]


@pytest.mark.parametrize("source", ["file", "environment", "file before environment"])
def test_the_admin_token_comes_from_a_file_or_the_environment(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that no list of processes shows opens the door as one on the command line does."""
    arguments = ["--json"]
    if source.startswith("file"):
        path = tmp_path / "token"
        path.write_text("sesame\n", encoding="ascii")
        arguments += ["--admin-token-file", str(path)]
    if source.endswith("environment"):
        token = "sesame" if source == "environment" else "other"
        monkeypatch.setenv("CHAOSCHECK_ADMIN_TOKEN", token)
    with serving(*arguments) as server:
        asked = [server.send("/_chaoscheck/plan", token=each)[0] for each in ("sesame", "other")]

    assert [200, 401] == asked


def test_a_token_in_the_environment_that_no_header_can_carry_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The variable is named, its value is not."""
    monkeypatch.setenv("CHAOSCHECK_ADMIN_TOKEN", "open sesame")

    said = refused("--for", "0")

    assert said.startswith("Error: CHAOSCHECK_ADMIN_TOKEN must have 1 to 200 visible ASCII")
    assert "sesame" not in said


def test_the_admin_port_is_there_while_everybody_is_refused() -> None:
    """With --fault refuse=1 nobody gets in, and I can still read the plan and take it back."""
    with serving("--json", "--fault", "refuse=1", "--admin-token", "sesame") as server:
        plan = f"{server.ready['admin_url']}plan"
        bearer = {"Authorization": "Bearer sesame"}
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{server.ready['url']}/v1/models", timeout=5)
        assert {"refuse": 1.0} == httpx.get(plan, headers=bearer, timeout=5).json()["rates"]
        assert 200 == httpx.put(plan, headers=bearer, json={}, timeout=5).status_code
        assert 200 == server.ask()
        assert 0 == server.end(signal.SIGTERM)[0]


def test_it_ends_by_itself_when_its_time_is_up() -> None:
    """--for serves so long and ends as cleanly; people get lines instead of JSON."""
    with serving("--for", "0.1", "--provider", "anthropic") as server:
        assert server.process.stdout is not None
        text = server.line + server.process.stdout.read()
        code = server.process.wait(PATIENCE_S)

    assert 0 == code
    assert "http://127.0.0.1:" in text
    assert "anthropic" in text
    assert "token" in text


@pytest.mark.parametrize(
    ("provider", "path", "other"),
    [("gemini", "/v1beta/models", "/openai/v1/models"), ("ollama", "/api/tags", "/v1/models")],
)
def test_a_provider_that_is_found_by_its_folder_is_served_by_its_name(
    provider: str, path: str, other: str
) -> None:
    """The command has no list of its own: its APIs answer, and no others do."""
    with serving("--provider", provider, "--json") as server:
        answers = [server.send(each)[0] for each in (path, other)]

        assert provider == server.ready["provider"]
        assert [200, 404] == answers
        assert 0 == server.end(signal.SIGTERM)[0]


@pytest.mark.parametrize("stdout", ["closed", "unread"])
def test_it_serves_where_nobody_reads_its_output(stdout: str) -> None:
    """As a daemon without a stdout, or in a pipe whose reader has left, it ends as cleanly."""
    reader, writer = os.pipe()
    os.close(reader)
    program = (
        "import os, sys; os.close(1); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    serve = ["-m", "chaoscheck", "serve", "--for", "0"]
    command = [sys.executable, *(["-c", program] if stdout == "closed" else []), *serve]
    with os.fdopen(writer, "w") as pipe:
        found = subprocess.run(
            command, stdout=pipe, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S, check=False
        )

    assert (0, "0 requests, 0 faults hit\n") == (found.returncode, found.stderr)


def test_a_plan_file_is_served_and_a_fault_takes_the_place_of_its_rate(tmp_path: Path) -> None:
    """The seed and the rates of my file hold, but for what --fault says."""
    plan = tmp_path / "plan.toml"
    plan.write_text("seed = 42\n[rates]\nstatus_500 = 1.0\n", encoding="utf-8")
    with serving("--json", "--plan", str(plan)) as server:
        assert (42, 500) == (server.ready["seed"], server.ask())
    with serving("--json", "--plan", str(plan), "--fault", "status_500=0") as server:
        assert (42, 200) == (server.ready["seed"], server.ask())


def test_a_port_in_use_is_said_in_a_line(tmp_path: Path) -> None:
    """A second server on my port does not start, and leaves no ledger behind."""
    ledger = tmp_path / "ledger.db"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused("--port", str(port), "--ledger", str(ledger))

    assert f"Error: port {port} of 127.0.0.1 is in use\n" == said
    assert not ledger.exists()


BAD = {
    "host": (["--host", "no such host"], "host must be"),
    "empty host": (["--host", ""], "host must be"),
    "external": (["--host", "0.0.0.0"], "--allow-external"),
    "not ours": (["--host", "192.0.2.1", "--allow-external"], "of this machine"),
    "port": (["--port", "65536"], "[0, 65535]"),
    "provider": (["--provider", "opnai"], "did you mean 'openai'"),
    "preset": (["--preset", "stres"], "did you mean 'stress'"),
    "format": (["--print-env=fihs"], "did you mean 'fish'"),
    "aim": (["--fault", "status_429=0.1@opnai"], "did you mean 'openai'"),
    "aim elsewhere": (["--provider", "azure", "--fault", "status_429=1@ollama"], "is not served"),
    "both": (["--preset", "stress", "--plan", "plan.toml"], "exclude each other"),
    "fault": (["--fault", "status_42=0.1"], "did you mean 'status_4"),
    "parameter": (["--fault", "reset_mid_body(after=1)=0.1"], "no parameter 'after'"),
    "no rate": (["--fault", "status_429"], "NAME=RATE"),
    "rate": (["--fault", "status_429=1.5"], "in [0, 1], got 1.5"),
    "sum": (["--fault", "status_429=0.6", "--fault", "status_500=0.6"], "at most 1"),
    "missing plan": (["--plan", "nowhere.toml"], "nowhere.toml"),
    "malformed plan": (["--plan", "bad.toml"], "bad.toml"),
    "ledger": (["--ledger", "nowhere/ledger.db"], "ledger.db"),
    "prompts of no ledger": (["--ledger-prompts"], "go with --ledger FILE"),
    "keys of no ledger": (["--ledger-keys"], "go with --ledger FILE"),
    "foreign ledger": (["--ledger", "bad.toml"], "bad.toml"),
    "duration": (["--for", "-1"], "got -1"),
    "no duration": (["--for", "nan"], "got nan"),
    "token": (["--admin-token", ""], "--admin-token"),
    "record alone": (["--record", "new.jsonl"], "--record FILE and --upstream URL go together"),
    "upstream alone": (["--upstream", "http://127.0.0.1:9"], "go together"),
    "record and replay": (
        ["--record", "a", "--upstream", "http://127.0.0.1:9", "--replay", "b"],
        "exclude each other",
    ),
    "no upstream": (["--record", "a", "--upstream", "127.0.0.1:9"], "--upstream must be http://"),
    "user in upstream": (["--record", "a", "--upstream", "http://u:p@h"], "must have no user"),
    "timeout": (
        ["--record", "a", "--upstream", "http://h", "--upstream-timeout", "0"],
        "--upstream-timeout must be in (0, 3600] seconds, got 0",
    ),
    "timeout of nothing": (["--upstream-timeout", "1"], "goes with --upstream"),
    "recording over a plan": (
        ["--record", "plan.json", "--upstream", "http://127.0.0.1:9"],
        "exists and is no recording",
    ),
    "recording in no folder": (
        ["--record", "no/a", "--upstream", "http://127.0.0.1:9"],
        "cannot be written",
    ),
    "no recording": (["--replay", "nowhere.jsonl"], "'nowhere.jsonl' cannot be read"),
    "replay of a plan": (["--replay", "plan.json"], "is none of `serve --record`"),
    "replay of a pipe": (["--replay", "pipe.toml"], "it is a pipe"),
    "replay of a folder": (["--replay", "."], "it is a folder"),
    "marked replay": (["--replay", "marked.jsonl"], "byte order mark"),
    "two tokens": (["--admin-token", "a", "--admin-token-file", "plan.toml"], "exclude each other"),
    "no token file": (["--admin-token-file", "nowhere"], "'nowhere' cannot be read"),
    "empty token file": (["--admin-token-file", "plan.toml"], "1 to 200 visible ASCII"),
    "token folder": (["--admin-token-file", "."], "it is a folder"),
    "endless token": (["--admin-token-file", "/dev/zero"], "it is a device"),
    "pipe as plan": (["--plan", "pipe.toml"], "it is a pipe"),
    "pipe as recording": (["--plan", "piped.toml"], "it is a pipe"),
    "marked recording": (["--plan", "marked.toml"], "byte order mark"),
    "seed": (["--seed", str(2**64)], "seed must be"),
}


@pytest.mark.parametrize(("arguments", "said"), BAD.values(), ids=BAD.keys())
def test_bad_input_costs_a_line_and_exit_2(arguments: list[str], said: str, tmp_path: Path) -> None:
    """Whatever I mistype is named in one line; nothing starts and nothing is written."""
    (tmp_path / "bad.toml").write_text("seed = [", encoding="utf-8")
    (tmp_path / "plan.toml").write_text("", encoding="utf-8")
    (tmp_path / "plan.json").write_text("{}", encoding="utf-8")
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "marked.jsonl").write_text('{"text": "x"}', encoding="utf-8-sig")
    for plan, recording in (("piped.toml", "pipe.toml"), ("marked.toml", "marked.jsonl")):
        text = f'[replies]\nmode = "recorded"\npath = "{recording}"\n'
        (tmp_path / plan).write_text(text, encoding="utf-8")
    before = sorted(os.listdir(tmp_path))

    error = refused("--for", "0", *arguments, cwd=tmp_path)

    assert said in error
    assert error.startswith("Error: ")
    assert 1 == error.count("\n")
    assert before == sorted(os.listdir(tmp_path))


def test_the_tests_in_the_page_pass(tmp_path: Path) -> None:
    """What docs/server.md shows runs as it stands (a pytest process with both SDKs, ~3 s)."""
    page = (ROOT / "docs" / "server.md").read_text(encoding="utf-8")
    block = "\n\n".join(re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL))
    (tmp_path / "test_page.py").write_text(block, encoding="utf-8")

    found = run_pytest(tmp_path, "test_page.py", "-p", "no:cacheprovider")

    assert 0 == found.returncode, found.stdout + found.stderr
    assert "5 passed" in found.stdout
