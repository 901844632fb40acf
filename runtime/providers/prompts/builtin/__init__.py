"""Prompts in tables of this stack."""

from runtime.spec import inline, live

SPEC = inline(
    "builtin",
    summary="Prompts with variables and versions, in tables of this stack",
    adapter=".adapter:BuiltinPrompts",
    default=True,
    evidence=live("SQLite, a real PostgreSQL and llama-stack's own clients"),
)
