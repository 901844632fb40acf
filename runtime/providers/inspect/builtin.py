"""Health, version and routes of the stack itself."""

from runtime.spec import builtin, live

SPEC = builtin(
    summary="Health, version and routes of this server",
    adapter="runtime.providers.inspect._adapter:BuiltinInspect",
    evidence=live("tested on a running server"),
)
