"""Our values as the outside sees them: Conductor's JSON, the Celery message, the start message."""
