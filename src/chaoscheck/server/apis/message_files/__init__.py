"""Anthropic's files: where they stand, what they take, what they say."""
