"""Where OpenAI's and Azure's batches stand."""

from __future__ import annotations

from collections.abc import Iterator

from chaoscheck.server.apis.batches.answer import (
    answer_batch,
    answer_cancel,
    answer_create,
    answer_list,
)
from chaoscheck.server.apis.call import Api
from chaoscheck.server.apis.place import Place, azure_place
from chaoscheck.server.providers import AZURE, OPENAI

__all__ = ["PLACES"]

_ENDPOINTS: tuple[tuple[str, str, Api], ...] = (
    ("POST", "", answer_create),
    ("GET", "", answer_list),
    ("GET", "/([^/]+)", answer_batch),
    ("POST", "/([^/]+)/cancel", answer_cancel),
)


def _places() -> Iterator[Place]:
    # Each look at a batch answers some of its requests.
    for method, ending, api in _ENDPOINTS:
        for provider, root in ((OPENAI, "/v1/batches"), (AZURE, "/openai/v1/batches")):
            path = f"{root}{ending}"
            yield Place(provider=provider, path=path, api=api, method=method, costly=True)
        yield azure_place(f"/openai/batches{ending}", api, method, costly=True)


PLACES = tuple(_places())
