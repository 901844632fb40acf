"""Evaluations that NVIDIA's NeMo Evaluator makes: its harnesses and its own metrics, of models that it can reach.
https://docs.nvidia.com/nemo/microservices/latest/evaluate (read November 2026)
"""

from runtime.spec import remote, wire

SPEC = remote(
    "nvidia",
    summary="Evaluations made by NVIDIA NeMo Evaluator, in a service of yours: a benchmark is one of its configs",
    adapter=".adapter:NvidiaEval",
    config=".config:NvidiaEvalConfig",
    needs=("models",),
    enabled_by="NVIDIA_EVALUATOR_URL",
    sample_config={
        "evaluator_url": "${env.NVIDIA_EVALUATOR_URL:=http://localhost:7331}",
        "api_key": "${env.NVIDIA_API_KEY:=}",
    },
    evidence=wire("a local server that checks the documented requests and answers in the documented form"),
)
