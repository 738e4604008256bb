"""Lists of models, and single ones, as OpenAI, Azure and OpenRouter write them.

The lists name a few models. A single model may be any whose name is well-formed: a test's models
need not be on any list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from chaoscheck.plan.answer import Answer, ApiError, Shape
from chaoscheck.server.apis.call import Answered, Api, Call, json_answer

__all__ = [
    "answer_azure_model",
    "answer_azure_models",
    "answer_openai_model",
    "answer_openai_models",
    "answer_openrouter_models",
]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,199}")
_RELEASED_S = 1_700_000_000  # seconds since the Unix epoch: when each of them came out
_CHAT_MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-4.1")
_EMBEDDING_MODELS = ("text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002")
_OPENROUTER_MODELS = ("openai/gpt-4o", "openai/gpt-4o-mini", "anthropic/claude-sonnet-4")
_CONTEXT_TOKENS = 128_000
_OUTPUT_TOKENS_MAX = 16_384

_LIST_SHAPE = Shape(items=("data",), content=("data", 0, "id"), number=("data", 0, "created"))
_AZURE_LIST_SHAPE = Shape(
    items=("data",), content=("data", 0, "id"), number=("data", 0, "created_at")
)
_MODEL_SHAPE = Shape(content=("id",), number=("created",))
_AZURE_MODEL_SHAPE = Shape(content=("id",), number=("created_at",))

Written = Callable[[str], Mapping[str, object]]


def _openai(name: str) -> Mapping[str, object]:
    return {"id": name, "object": "model", "created": _RELEASED_S, "owned_by": "chaoscheck"}


def _azure(name: str) -> Mapping[str, object]:
    embeds = "embedding" in name
    return {
        "id": name,
        "object": "model",
        "created_at": _RELEASED_S,
        # The SDKs read OpenAI's names wherever they point.
        "created": _RELEASED_S,
        "owned_by": "chaoscheck",
        "status": "succeeded",
        "lifecycle_status": "generally-available",
        "capabilities": {
            "fine_tune": False,
            "inference": True,
            "completion": not embeds,
            "chat_completion": not embeds,
            "embeddings": embeds,
        },
        "deprecation": {"inference": 4_102_444_800},
    }


def _openrouter(name: str) -> Mapping[str, object]:
    return {
        "id": name,
        "canonical_slug": name,
        "name": name.replace("/", ": "),
        "created": _RELEASED_S,
        "description": "A model that the chaos server plays.",
        "context_length": _CONTEXT_TOKENS,
        "architecture": {
            "modality": "text->text",
            "input_modalities": ["text"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": {"prompt": "0", "completion": "0", "request": "0", "image": "0"},
        "top_provider": {
            "context_length": _CONTEXT_TOKENS,
            "max_completion_tokens": _OUTPUT_TOKENS_MAX,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": ["max_tokens", "response_format", "stop", "tools", "tool_choice"],
    }


def _answering_list(document: Mapping[str, object], shape: Shape) -> Api:
    answer = json_answer(document, shape)

    def answer_list(call: Call) -> Answered:
        return answer, None

    return answer_list


def _answering_one(written: Written, shape: Shape) -> Api:
    def answer_one(call: Call) -> Answered:
        name = call.model or ""
        if not _NAME.fullmatch(name):
            message = f"The model '{name[:100]}' does not exist or you do not have access to it."
            error = ApiError(
                message=message,
                type="invalid_request_error",
                param="model",
                code="model_not_found",
            )
            return Answer(status=404, error=error), None
        return json_answer(written(name), shape), None

    return answer_one


def _list_of(written: Written, names: tuple[str, ...]) -> list[Mapping[str, object]]:
    return [written(name) for name in names]


_OPENAI_MODELS = (*_CHAT_MODELS, *_EMBEDDING_MODELS)

answer_openai_models = _answering_list(
    {"object": "list", "data": _list_of(_openai, _OPENAI_MODELS)}, _LIST_SHAPE
)
answer_azure_models = _answering_list(
    {"object": "list", "data": _list_of(_azure, _OPENAI_MODELS)}, _AZURE_LIST_SHAPE
)
answer_openrouter_models = _answering_list(
    {"data": _list_of(_openrouter, _OPENROUTER_MODELS)}, _LIST_SHAPE
)
answer_openai_model = _answering_one(_openai, _MODEL_SHAPE)
answer_azure_model = _answering_one(_azure, _AZURE_MODEL_SHAPE)
