"""LangChain's ``with_retry`` around each chat model; prints which prompts got through, as JSON.

Arguments: a chaos server's URL, the number of prompts, and of requests in a loop.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI


def through(model: Any, prompts: int, requests_max: int) -> list[bool]:
    """Whether each prompt was echoed in the end; the model itself does not retry."""
    again = model.with_retry(stop_after_attempt=requests_max, wait_exponential_jitter=False)
    return [_is_echoed(again, f"prompt {number}") for number in range(prompts)]


def _is_echoed(model: Any, prompt: str) -> bool:
    try:
        return bool(model.invoke(prompt).text == prompt)
    except Exception:  # what is raised differs; that the loop was in vain is what counts
        return False


def main(url: str, prompts: int, requests_max: int) -> None:
    """Let both models ask every prompt."""
    models = {
        "langchain-openai": ChatOpenAI(
            model="m", base_url=f"{url}/v1", api_key="k", max_retries=0, timeout=30
        ),
        "langchain-anthropic": ChatAnthropic(
            model_name="m", base_url=url, api_key="k", max_retries=0, timeout=30,
            max_tokens_to_sample=99,
        ),
    }  # fmt: skip
    met = {name: through(model, prompts, requests_max) for name, model in models.items()}
    sys.stdout.write(json.dumps(met) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
