"""A process that runs clients through their scenes, all at once.

Argument: the module of the clients. Standard input holds the scenes of each as JSON, standard
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
    """Print each client's version, how long it waits by default, and what came of its scenes."""
    clients: dict[str, Client] = importlib.import_module(sys.argv[1]).CLIENTS
    asked: dict[str, dict[str, dict[str, Any]]] = json.load(sys.stdin)
    outcomes: dict[str, dict[str, dict[str, str]]] = {
        name: {scene: {} for scene in scenes} for name, scenes in asked.items()
    }
    threads = [
        threading.Thread(
            target=_play, args=(clients[name], each, outcomes[name][scene]), daemon=True
        )
        for name, scenes in asked.items()
        for scene, each in scenes.items()
    ]
    for thread in threads:
        thread.start()
    patience_s = GIVE_UP_S
    for thread in threads:
        thread.join(patience_s)
        if thread.is_alive():
            patience_s = 0.0  # all began at once, so the others have had as long
    said = {
        name: {
            "version": importlib.metadata.version(clients[name].package),
            "waits_s": clients[name].waits_s,
            "outcomes": outcomes[name],
        }
        for name in asked
    }
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    os._exit(0)  # threads that hang would keep the interpreter


def _play(client: Client, scene: dict[str, Any], outcome: dict[str, str]) -> None:
    ask = client.stream if scene["streamed"] else client.ask
    if scene["called"]:
        ask = client.call
    if ask is None:
        outcome["raised"] = "-"
        return
    try:
        outcome["text"] = ask(scene["url"], scene["timeout_s"])
    except Exception as error:  # whatever a client raises is what we came for
        outcome["raised"] = type(error).__name__


if __name__ == "__main__":
    main()
