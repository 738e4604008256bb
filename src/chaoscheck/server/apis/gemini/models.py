"""Gemini's models: a short list, and any single one whose name is well-formed."""

from __future__ import annotations

import re

from chaoscheck.plan.answer import Answer, ApiError, Shape
from chaoscheck.server.apis.call import Answered, Call, json_answer

__all__ = ["answer_model", "answer_models"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_GENERATING = ("gemini-2.5-flash", "gemini-2.5-pro")
_EMBEDDING = ("gemini-embedding-001",)
_LIST_SHAPE = Shape(
    items=("models",), content=("models", 0, "name"), number=("models", 0, "inputTokenLimit")
)
_MODEL_SHAPE = Shape(content=("name",), number=("inputTokenLimit",))


def answer_models(call: Call) -> Answered:
    """All models, on one page."""
    models = [_model(name) for name in (*_GENERATING, *_EMBEDDING)]
    return json_answer({"models": models}, _LIST_SHAPE), None


def answer_model(call: Call) -> Answered:
    """The model that the path names; 404 for a name that none can have."""
    name = call.model or ""
    if not _NAME.fullmatch(name):
        message = f"models/{name[:100]} is not found for API version v1beta."
        return Answer(status=404, error=ApiError(message=message, type="NOT_FOUND")), None
    return json_answer(_model(name), _MODEL_SHAPE), None


def _model(name: str) -> dict[str, object]:
    methods = ["generateContent", "countTokens"]
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name,
        "description": "A model that the chaos server plays.",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["embedContent"] if "embedding" in name else methods,
    }
