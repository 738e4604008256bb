"""OpenAI's batches: where they stand, what they take, what they say."""
