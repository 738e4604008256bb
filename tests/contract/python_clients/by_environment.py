"""litellm, LangChain and pydantic-ai without a word about a server: the environment names it.

Run beside the project, as ``python -m tests.contract.python_clients.by_environment``. Writes what
each call was answered, as one JSON object.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import litellm
from langchain_anthropic import ChatAnthropic
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from pydantic_ai import Agent

TEXT = "hello"
LITELLM = (
    "openai/m",
    "azure/d",
    "openrouter/a/b",
    "anthropic/m",
    "gemini/m",
    "ollama_chat/llama3.2",
)


def of_litellm(model: str) -> str:
    messages = [{"role": "user", "content": TEXT}]
    said: Any = litellm.completion(model=model, messages=messages, max_tokens=9)
    return said.choices[0].message.content or ""


def main() -> None:
    """Ask once through each client."""
    said: dict[str, object] = {model: of_litellm(model) for model in LITELLM}
    anthropic: Any = ChatAnthropic
    for chat in (
        ChatOpenAI(model="m"),
        AzureChatOpenAI(azure_deployment="d"),
        anthropic(model_name="m"),
    ):
        said[type(chat).__name__] = chat.invoke(TEXT).content
    for name in ("openai-chat:m", "anthropic:m"):
        said[name] = Agent(name).run_sync(TEXT).output
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
