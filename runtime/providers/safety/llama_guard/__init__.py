"""Llama Guard, Meta's classifiers, over a chat model of this stack. https://github.com/meta-llama/PurpleLlama"""

from runtime.spec import inline, wire

SPEC = inline(
    "llama-guard",
    summary="Llama Guard 1 to 4, as any provider of inference serves them",
    adapter=".adapter:LlamaGuardSafety",
    config="runtime.providers.safety._llama_guard.settings:GuardSettings",
    needs=("inference", "models"),
    evidence=wire("a local server that judges the conversation in the published task; the weights are on request"),
)
