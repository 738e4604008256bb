"""Legacy completions of OpenAI, Azure and OpenRouter: where they stand, what they take and say."""
