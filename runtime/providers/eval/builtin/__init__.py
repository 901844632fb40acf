"""Evaluations that this stack makes itself: of its models and agents, with its datasets and scoring functions."""

from runtime.spec import NoEffect, builtin, live

_OWN_STORE = NoEffect("`storage.stores.eval` says where evaluations are kept")

SPEC = builtin(
    summary="Evaluations of models and agents, done in the background by this stack; they go on after a restart",
    adapter=".adapter:BuiltinEval",
    config="runtime.providers.eval._shared.config:EvalConfig",
    aliases=("inline::meta-reference",),
    older={"kvstore": _OWN_STORE},
    packages=("duckdb>=1.4",),
    analytics=("eval_runs", "eval_rows", "eval_scores"),
    needs=("inference", "models", "datasets", "datasetio", "scoring", "scoring_functions"),
    may_use=("agents", "tool_groups"),
    evidence=live("a model's server in another process that is killed and goes on, and the embedded model"),
)
