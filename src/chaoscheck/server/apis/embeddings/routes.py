"""Where embeddings stand."""

from __future__ import annotations

from chaoscheck.server.apis.embeddings.answer import answer_embeddings
from chaoscheck.server.apis.place import Place, azure_place
from chaoscheck.server.providers import AZURE, OPENAI, OPENROUTER

__all__ = ["PLACES"]

PLACES = (
    Place(provider=OPENAI, path="/v1/embeddings", api=answer_embeddings),
    Place(provider=OPENROUTER, path="/api/v1/embeddings", api=answer_embeddings),
    azure_place("/openai/deployments/([^/]+)/embeddings", answer_embeddings),
    Place(provider=AZURE, path="/openai/v1/embeddings", api=answer_embeddings),
)
