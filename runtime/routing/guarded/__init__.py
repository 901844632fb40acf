"""Guardrails: shields that what is asked of a model and what it answers go through, whichever door asked for it."""
