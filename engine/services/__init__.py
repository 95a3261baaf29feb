"""Processes, each named for who would do it by hand, and what they need before they can begin."""
