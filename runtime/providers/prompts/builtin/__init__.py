"""Prompts in tables of this stack."""

from runtime.spec import builtin, live

SPEC = builtin(
    summary="Prompts with variables and versions, in tables of this stack",
    adapter=".adapter:BuiltinPrompts",
    evidence=live("SQLite, a real PostgreSQL and llama-stack's own clients"),
)
