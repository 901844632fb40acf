"""Rows of data that the models of this stack make up."""

from runtime.spec import builtin, live

SPEC = builtin(
    summary="Rows that the models of this stack make up, scored by its functions, kept as datasets",
    adapter=".adapter:BuiltinSyntheticData",
    config=".config:SyntheticDataConfig",
    packages=("numpy>=2",),
    needs=("inference", "models"),
    may_use=("datasetio", "datasets", "scoring"),
    evidence=live("llama-stack's clients 0.2.12 and 0.3.5, and the embedded model"),
)
