"""Evaluations whose rows are asked by the machines of a Ray cluster. https://docs.ray.io/en/latest/cluster"""

from runtime.spec import StandIn, live, remote

SPEC = remote(
    "ray",
    summary="Evaluations of models whose rows are asked by workers on an existing Ray cluster; scored and kept here",
    adapter=".adapter:RayEval",
    over_http=False,
    in_replay=StandIn(".in_replay:EvalHere"),
    config=".config:RayEvalConfig",
    packages=("ray[client]>=2.40",),
    needs=("inference", "models", "datasets", "datasetio", "scoring", "scoring_functions"),
    enabled_by="RAY_ADDRESS",
    sample_config={
        "address": "${env.RAY_ADDRESS:=}",
        "auth_token": "${env.RAY_AUTH_TOKEN:=}",
        "base_url": "${env.RAY_EVAL_BASE_URL:=http://127.0.0.1:8321}",
        "api_key": "${env.RAY_EVAL_API_KEY:=}",
    },
    evidence=live("a Ray cluster of one machine with a token, whose connection is cut"),
)
