"""What people search for: the query language as frozen conditions, and whether a record meets them; no I/O."""
