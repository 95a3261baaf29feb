"""What people import to test a workflow: in-memory store and broker, a clock that is set by hand, and a harness."""
