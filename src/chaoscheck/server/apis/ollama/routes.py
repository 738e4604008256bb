"""Where Ollama's API stands."""

from __future__ import annotations

from chaoscheck.server.apis.ollama.answer import answer_chat, answer_tags
from chaoscheck.server.apis.ollama.provider import OLLAMA
from chaoscheck.server.apis.place import Place

__all__ = ["PLACES"]

PLACES = (
    Place(provider=OLLAMA, path="/api/chat", api=answer_chat),
    Place(provider=OLLAMA, path="/api/tags", api=answer_tags, method="GET"),
)
