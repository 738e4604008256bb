"""Where lists of models stand: OpenAI's, Azure's and OpenRouter's."""

from __future__ import annotations

from chaoscheck.server.apis.models.answer import (
    answer_azure_model,
    answer_azure_models,
    answer_openai_model,
    answer_openai_models,
    answer_openrouter_models,
)
from chaoscheck.server.apis.place import Place, azure_place
from chaoscheck.server.providers import AZURE, OPENAI, OPENROUTER

__all__ = ["PLACES"]

PLACES = (
    Place(provider=OPENAI, path="/v1/models", api=answer_openai_models, method="GET"),
    Place(provider=OPENAI, path="/v1/models/(.+)", api=answer_openai_model, method="GET"),
    Place(provider=OPENROUTER, path="/api/v1/models", api=answer_openrouter_models, method="GET"),
    azure_place("/openai/models", answer_azure_models, "GET"),
    azure_place("/openai/models/(.+)", answer_azure_model, "GET"),
    Place(provider=AZURE, path="/openai/v1/models", api=answer_azure_models, method="GET"),
    Place(provider=AZURE, path="/openai/v1/models/(.+)", api=answer_azure_model, method="GET"),
)
