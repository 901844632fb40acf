"""What this server records or replays."""

from runtime.spec import builtin, live

SPEC = builtin(
    summary="What this server records or replays",
    adapter="runtime.providers.recordings._adapter:BuiltinRecordings",
    evidence=live("tested on a running server"),
)
