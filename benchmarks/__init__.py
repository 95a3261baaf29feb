"""Measures what orchestration costs, beside bare Celery, on the real servers."""
