"""A process that runs one client through its scenes, all at once.

Arguments: the module and the client's name. Standard input holds the scenes as JSON, standard
output what came of each: its text, or the name of what was raised, or neither if it hangs.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import sys
import threading
from typing import Any

from tests.contract.python_clients.client import Client

GIVE_UP_S = 40.0  # no retry of any client waits so long; what takes longer is called a hang


def main() -> None:
    """Print the client's version, how long it waits by default, and what came of each scene."""
    module, name = sys.argv[1:]
    client: Client = importlib.import_module(module).CLIENTS[name]
    scenes: dict[str, dict[str, Any]] = json.load(sys.stdin)
    outcomes: dict[str, dict[str, str]] = {scene: {} for scene in scenes}
    threads = [
        threading.Thread(target=_play, args=(client, each, outcomes[scene]), daemon=True)
        for scene, each in scenes.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GIVE_UP_S)
    said = {
        "version": importlib.metadata.version(client.package),
        "waits_s": client.waits_s,
        "outcomes": outcomes,
    }
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    os._exit(0)  # threads that hang would keep the interpreter


def _play(client: Client, scene: dict[str, Any], outcome: dict[str, str]) -> None:
    ask = client.stream if scene["streamed"] else client.ask
    if ask is None:
        outcome["raised"] = "-"
        return
    try:
        outcome["text"] = ask(scene["url"], scene["timeout_s"])
    except Exception as error:  # whatever a client raises is what we came for
        outcome["raised"] = type(error).__name__


if __name__ == "__main__":
    main()
