"""Anthropic's batches of messages: where they stand, what they take, what they say."""
