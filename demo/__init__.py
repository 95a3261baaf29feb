"""Six workflows that people run, with tasks that do the real thing on real input."""
