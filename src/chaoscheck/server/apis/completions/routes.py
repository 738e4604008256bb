"""Where completions stand: OpenAI's, OpenRouter's, and Azure's by deployment or by model."""

from __future__ import annotations

from chaoscheck.server.apis.completions.answer import (
    answer_azure_completion,
    answer_completion,
    answer_openrouter_completion,
)
from chaoscheck.server.apis.place import Place, azure_place
from chaoscheck.server.providers import AZURE, OPENAI, OPENROUTER

__all__ = ["PLACES"]

PLACES = (
    Place(provider=OPENAI, path="/v1/completions", api=answer_completion),
    Place(provider=OPENROUTER, path="/api/v1/completions", api=answer_openrouter_completion),
    azure_place("/openai/deployments/([^/]+)/completions", answer_azure_completion),
    Place(provider=AZURE, path="/openai/v1/completions", api=answer_azure_completion),
)
