"""Verbs, pure: what a fact does to a run, and what comes next."""
