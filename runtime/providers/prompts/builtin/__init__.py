"""Prompts in tables of this stack."""

from runtime.spec import inline

SPEC = inline(
    "builtin",
    summary="Prompts with variables and versions, in tables of this stack",
    adapter=".adapter:BuiltinPrompts",
    default=True,
    evidence="live",
    evidence_note="SQLite, a real PostgreSQL and llama-stack's own clients",
)
