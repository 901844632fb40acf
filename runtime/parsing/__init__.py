"""Validated requests from bytes: how much their JSON may hold, and what of it is wrong. Knows no transport."""
