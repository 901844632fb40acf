"""Conversations in tables of SQLite or PostgreSQL."""

from runtime.spec import inline

SPEC = inline(
    "builtin",
    summary="Conversations in tables of SQLite or PostgreSQL",
    adapter=".adapter:BuiltinConversations",
    default=True,
    evidence="live",
    evidence_note="SQLite, PostgreSQL and OpenAI's client",
)
