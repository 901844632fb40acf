"""A vLLM server. https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html"""

from runtime.providers.inference._openai_compatible.spec import openai_compatible

SPEC = openai_compatible(
    "vllm",
    summary="A vLLM server: open-weight models at scale",
    base_url_env="VLLM_URL",
    api_key_env="VLLM_API_TOKEN",
    enabled_by="VLLM_URL",
    evidence="wire",
    evidence_note="vLLM needs a GPU; a llama.cpp server stands in at its address",
)
