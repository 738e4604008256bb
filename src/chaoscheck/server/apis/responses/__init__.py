"""OpenAI's Responses API: where it stands, what it takes, what it says."""
