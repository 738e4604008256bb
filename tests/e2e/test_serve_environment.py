"""``chaoscheck serve --print-env`` as a shell runs it: a quarter of a second for a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

PATIENCE_S = 30.0  # a machine under load may be slow; nothing here needs it

IN_A_SHELL = """
set -eu
eval "$("$@" serve --provider openai --host ::1 --for 20 --json --print-env 2>"$ready" &)"
echo "$OPENAI_BASE_URL $OPENAI_API_KEY ${OLLAMA_HOST-unset}"
"""


def test_a_shell_reads_the_environment_of_clients_and_goes_on(tmp_path: Path) -> None:
    """``eval "$(chaoscheck serve --print-env &)"`` gets the lines and their end; it serves on."""
    ready = tmp_path / "ready.json"
    environment = {**os.environ, "ready": str(ready)}
    environment.pop("OLLAMA_HOST", None)
    command = ["sh", "-c", IN_A_SHELL, "sh", sys.executable, "-m", "chaoscheck"]

    shell = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=environment
    )
    started = json.loads(ready.read_text(encoding="utf-8"))
    try:
        with urllib.request.urlopen(started["url"] + "/v1/models", timeout=PATIENCE_S) as reply:
            status = reply.status
    finally:
        os.kill(started["pid"], signal.SIGTERM)

    assert 0 == shell.returncode, shell.stderr
    assert f"{started['url']}/v1 chaoscheck unset\n" == shell.stdout
    assert started["url"].startswith("http://[::1]:")
    assert 200 == status
