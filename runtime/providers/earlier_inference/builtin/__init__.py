"""The earlier inference API over the models of this stack."""

from runtime.spec import builtin, live

SPEC = builtin(
    summary="Inference as llama-stack before 0.3 had it, over the models of this stack",
    adapter=".adapter:BuiltinEarlierInference",
    may_use=("inference",),
    evidence=live("llama-stack's own client 0.2.12"),
)
