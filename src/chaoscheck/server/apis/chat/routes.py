"""Where chat completions stand: OpenAI's, OpenRouter's, and Azure's by deployment or by model."""

from __future__ import annotations

from chaoscheck.server.apis.chat.answer import (
    answer_azure_chat,
    answer_chat,
    answer_openrouter_chat,
)
from chaoscheck.server.apis.place import Place, azure_place
from chaoscheck.server.providers import AZURE, OPENAI, OPENROUTER

__all__ = ["PLACES"]

PLACES = (
    Place(provider=OPENAI, path="/v1/chat/completions", api=answer_chat),
    Place(provider=OPENROUTER, path="/api/v1/chat/completions", api=answer_openrouter_chat),
    azure_place("/openai/deployments/([^/]+)/chat/completions", answer_azure_chat),
    Place(provider=AZURE, path="/openai/v1/chat/completions", api=answer_azure_chat),
)
