"""Clients as their users write them, each run in a process of its own against chaos servers."""
