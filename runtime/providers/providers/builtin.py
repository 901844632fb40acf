"""The providers of the stack itself, with their health."""

from runtime.spec import inline, live

SPEC = inline(
    "builtin",
    summary="Providers of this server with their health",
    adapter="runtime.providers.providers._adapter:BuiltinProviders",
    default=True,
    evidence=live("tested on a running server"),
)
