"""The earlier inference API over the models of this stack."""

from runtime.spec import inline, live

SPEC = inline(
    "builtin",
    summary="Inference as llama-stack before 0.3 had it, over the models of this stack",
    adapter=".adapter:BuiltinEarlierInference",
    may_use=("inference",),
    default=True,
    evidence=live("llama-stack's own client 0.2.12"),
)
