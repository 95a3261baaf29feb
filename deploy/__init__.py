"""Provisioning: finds or starts the servers that Baton needs, and holds what is deployed with it."""
