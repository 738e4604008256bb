"""instructor on the openai SDK: an answer of a given type, which the model fills in."""

from __future__ import annotations

import instructor
import openai
from pydantic import BaseModel

from tests.contract.python_clients.client import CONNECT_TIMEOUT_S, TEXT, Client, shown

__all__ = ["CLIENTS"]


class Said(BaseModel):
    """What the model is asked to fill in."""

    text: str


def ask(url: str, timeout_s: float) -> str:
    timeout = openai.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
    with openai.OpenAI(base_url=f"{url}/v1", api_key="k", timeout=timeout) as client:
        said = instructor.from_openai(client).chat.completions.create(
            model="m", messages=[{"role": "user", "content": TEXT}], response_model=Said
        )
        return str(said.text)


class Forecast(BaseModel):
    """The same with two fields."""

    city: str
    days: int


def call(url: str, timeout_s: float) -> str:
    timeout = openai.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
    with openai.OpenAI(base_url=f"{url}/v1", api_key="k", timeout=timeout) as client:
        said = instructor.from_openai(client).chat.completions.create(
            model="m", messages=[{"role": "user", "content": TEXT}], response_model=Forecast
        )
        return shown(said.model_dump())


def stream(url: str, timeout_s: float) -> str:
    timeout = openai.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
    with openai.OpenAI(base_url=f"{url}/v1", api_key="k", timeout=timeout) as client:
        partials = instructor.from_openai(client).chat.completions.create_partial(
            model="m", messages=[{"role": "user", "content": TEXT}], response_model=Said
        )
        return [said.text or "" for said in partials][-1]


CLIENTS = {
    "instructor": Client(
        package="instructor",
        ask=ask,
        stream=stream,
        waits_s=openai.DEFAULT_TIMEOUT.read,
        call=call,
    )
}
