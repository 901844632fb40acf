"""Batches of requests that this stack answers itself."""

from runtime.spec import NoEffect, builtin, live

_OWN_STORE = NoEffect("`storage.stores.batches` says where batches are kept")

SPEC = builtin(
    summary="Batches of requests, answered in the background by this stack; they go on after a restart",
    adapter=".adapter:BuiltinBatches",
    config=".._shared.config:BatchesConfig",
    aliases=("inline::reference",),
    older={"kvstore": _OWN_STORE, "sqlstore": _OWN_STORE},
    needs=("inference", "files", "models"),
    may_use=("responses", "safety"),
    evidence=live("OpenAI's client, llama-stack's client, and the embedded model"),
)
