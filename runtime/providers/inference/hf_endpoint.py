"""A Hugging Face Inference Endpoint: a container of yours, with vLLM, TGI, llama.cpp or another server in it.
https://huggingface.co/docs/inference-endpoints/index
"""

from runtime.providers.inference._openai_compatible.rules import ONE_LIMIT
from runtime.providers.inference._openai_compatible.spec import Chat, openai_compatible

SPEC = openai_compatible(
    "hf::endpoint",
    summary="A Hugging Face Inference Endpoint of yours",
    base_url_env="INFERENCE_ENDPOINT_URL",
    api_key_env="HF_API_TOKEN",
    enabled_by="INFERENCE_ENDPOINT_URL",
    chat=Chat(rules=(ONE_LIMIT,), reasoning_field="reasoning"),
    evidence="wire",
    evidence_note="a local server with OpenAI's protocol; what an endpoint has depends on its container",
)
