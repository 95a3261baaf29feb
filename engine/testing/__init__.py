"""What users import to test a workflow: everything in memory, and a clock that stands still until told."""
