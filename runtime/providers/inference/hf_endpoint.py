"""A Hugging Face Inference Endpoint: a container of yours, with vLLM, TGI, llama.cpp or another server in it.
https://huggingface.co/docs/inference-endpoints/index
"""

from runtime.providers.inference._openai_compatible.rules import ONE_LIMIT
from runtime.providers.inference._openai_compatible.spec import Chat, openai_compatible
from runtime.spec import Instead, wire

SPEC = openai_compatible(
    "hf::endpoint",
    summary="A Hugging Face Inference Endpoint of yours",
    base_url_env="INFERENCE_ENDPOINT_URL",
    api_key_env="HF_API_TOKEN",
    enabled_by="INFERENCE_ENDPOINT_URL",
    older={  # until 0.6
        "endpoint_name": Instead(
            "base_url",
            why="an endpoint is found by its address, not by its name",
            hint="set `base_url` to the endpoint's address with `/v1`, which its page shows",
        )
    },
    chat=Chat(rules=(ONE_LIMIT,), reasoning_field="reasoning"),
    evidence=wire("a local server with OpenAI's protocol; what an endpoint has depends on its container"),
)
