"""Wolfram Alpha: computation and facts. https://products.wolframalpha.com/api/documentation (read November 2026)"""

from runtime.spec import remote, wire

SPEC = remote(
    "wolfram-alpha",
    summary="Computation and facts from Wolfram Alpha",
    adapter=".adapter:WolframAlpha",
    config="runtime.providers.tool_runtime._remote_config:RemoteToolConfig",
    serves=("builtin::wolfram_alpha",),
    enabled_by="WOLFRAM_ALPHA_API_KEY",
    key_env="WOLFRAM_ALPHA_API_KEY",
    sample_config={"api_key": "${env.WOLFRAM_ALPHA_API_KEY:=}"},
    evidence=wire("a local server that checks the documented request and answers in the documented form"),
)
