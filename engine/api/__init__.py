"""The HTTP door: Conductor's paths and JSON."""
