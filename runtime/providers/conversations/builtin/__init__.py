"""Conversations in tables of SQLite or PostgreSQL."""

from runtime.spec import inline, live

SPEC = inline(
    "builtin",
    summary="Conversations in tables of SQLite or PostgreSQL",
    adapter=".adapter:BuiltinConversations",
    default=True,
    evidence=live("SQLite, PostgreSQL and OpenAI's client"),
)
