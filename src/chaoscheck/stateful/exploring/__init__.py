"""The explorer: a fast search of a machine, without Hypothesis's engine."""
