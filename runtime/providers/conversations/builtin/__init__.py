"""Conversations in tables of SQLite or PostgreSQL."""

from runtime.spec import builtin, live

SPEC = builtin(
    summary="Conversations in tables of SQLite or PostgreSQL",
    adapter=".adapter:BuiltinConversations",
    evidence=live("SQLite, PostgreSQL and OpenAI's client"),
)
