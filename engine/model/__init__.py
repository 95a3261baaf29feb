"""Nouns, frozen: definitions, executions, statuses, events, requests and commands."""
