"""The OpenAPI document: what routes cannot say themselves, because they read and write JSON as it is."""
