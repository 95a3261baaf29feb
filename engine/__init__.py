"""Baton's engine: workflows as JSON, decided here, carried by RabbitMQ and run by Celery workers."""

__version__ = "0.1.0"
