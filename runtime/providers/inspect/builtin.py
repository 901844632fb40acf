"""Health, version and routes of the stack itself."""

from runtime.spec import inline, live

SPEC = inline(
    "builtin",
    summary="Health, version and routes of this server",
    adapter="runtime.providers.inspect._adapter:BuiltinInspect",
    default=True,
    evidence=live("tested on a running server"),
)
