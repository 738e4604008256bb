"""The domain pass: from a failing program to the shortest that fails in the same way."""
