"""Hypothesis draws faults and plans."""
