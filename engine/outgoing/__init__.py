"""Calls to the world outside: which addresses may be reached, and the client that keeps to it."""
