"""Models: lists in each provider's shape, and single ones by name."""

from __future__ import annotations

import pytest

from chaoscheck.server.apis.call import Api
from chaoscheck.server.apis.models.answer import (
    answer_azure_model,
    answer_azure_models,
    answer_openai_model,
    answer_openai_models,
    answer_openrouter_models,
)
from tests.unit.server.apis.calls import ask, at, document


@pytest.mark.parametrize(
    ("api", "keys", "members"),
    [
        (answer_openai_models, {"object", "data"}, {"id", "object", "created", "owned_by"}),
        (answer_azure_models, {"object", "data"}, {"id", "status", "capabilities", "created_at"}),
        (answer_openrouter_models, {"data"}, {"id", "context_length", "pricing", "top_provider"}),
    ],
)
def test_a_list_has_the_shape_of_its_provider(api: Api, keys: set[str], members: set[str]) -> None:
    """Every model of a list says what that provider says of one."""
    answer, said = ask(api, None)

    whole = document(answer)
    assert (200, None, keys) == (answer.status, said, set(whole))
    assert all(members <= set(model) for model in whole["data"])
    assert len(whole["data"]) >= 3


@pytest.mark.parametrize("api", [answer_openai_model, answer_azure_model])
@pytest.mark.parametrize("name", ["gpt-4o", "my-own", "ft:gpt-4o:org::x1", "openai/gpt-4o"])
def test_any_well_formed_model_exists(api: Api, name: str) -> None:
    """A test's models need not be on any list."""
    answer, _ = ask(api, None, model=name)

    assert (200, name) == (answer.status, document(answer)["id"])


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", "ä", "a" * 201])
def test_a_malformed_model_does_not_exist(name: str) -> None:
    """404 in OpenAI's words."""
    answer, _ = ask(answer_openai_model, None, model=name)

    assert answer.error is not None
    assert (404, "model_not_found") == (answer.status, answer.error.code)


@pytest.mark.parametrize(
    "api",
    [
        answer_openai_models,
        answer_azure_models,
        answer_openrouter_models,
        answer_openai_model,
        answer_azure_model,
    ],
)
def test_the_shape_leads_to_a_name_and_a_number(api: Api) -> None:
    """Faults find what they may spoil."""
    answer, _ = ask(api, None, model="m")

    assert answer.shape is not None
    said = document(answer)
    assert (str, int) == (
        type(at(said, answer.shape.content)),
        type(at(said, answer.shape.number)),
    )
    assert answer.shape.items is None or at(said, answer.shape.items)
