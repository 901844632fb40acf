"""Hugging Face's Inference Providers: one address in front of many hosts.
https://huggingface.co/docs/inference-providers/index
"""

from runtime.providers.inference._openai_compatible.rules import ONE_LIMIT
from runtime.providers.inference._openai_compatible.spec import Chat, openai_compatible
from runtime.spec import Moved, wire

SPEC = openai_compatible(
    "hf::serverless",
    summary="Hugging Face's router to many hosts of open-weight models",
    base_url="https://router.huggingface.co/v1",
    api_key_env="HF_API_TOKEN",
    older={"huggingface_repo": Moved("allowed_models", in_list=True)},  # until 0.6
    chat=Chat(rules=(ONE_LIMIT,), reasoning_field="reasoning"),
    completions=None,
    embeddings=None,
    evidence=wire("a local server that answers as the router's documentation says"),
)
