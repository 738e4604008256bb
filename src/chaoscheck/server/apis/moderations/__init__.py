"""OpenAI's moderations: where they stand, what they take, what they say."""
