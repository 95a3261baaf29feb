"""Event handlers without I/O: what is wrong with one, and what it makes of a message."""
