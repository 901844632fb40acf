"""The providers of the stack itself, with their health."""

from runtime.spec import builtin, live

SPEC = builtin(
    summary="Providers of this server with their health",
    adapter="runtime.providers.providers._adapter:BuiltinProviders",
    evidence=live("tested on a running server"),
)
