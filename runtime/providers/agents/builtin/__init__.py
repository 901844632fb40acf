"""The agents of llama-stack before 0.4, over the responses of this stack."""

from runtime.spec import NoEffect, builtin, live

_OWN_STORE = NoEffect("`storage.stores.agents` and `storage.stores.responses` say where they are kept")

SPEC = builtin(
    summary="Agents, sessions and turns as llama-stack before 0.4 had them, over the responses of this stack",
    adapter=".adapter:BuiltinAgents",
    aliases=("inline::meta-reference",),
    older={
        "persistence": _OWN_STORE,
        "persistence_store": _OWN_STORE,
        "responses_store": _OWN_STORE,
    },
    needs=("responses",),
    may_use=("vector_stores", "tool_groups"),
    evidence=live("llama-stack's own client 0.2.12, with its Agent and AgentEventLogger"),
)
