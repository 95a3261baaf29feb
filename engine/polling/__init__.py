"""Hands tasks to workers that poll: polls that wait, the messages of the task queues, and the road's consent."""
