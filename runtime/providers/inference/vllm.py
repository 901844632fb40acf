"""A vLLM server. https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html"""

from runtime.providers.inference._openai_compatible.rules import (
    NO_FUNCTIONS,
    REASONING_BACK,
    TEXT_ONLY,
    ignored,
    refused,
)
from runtime.providers.inference._openai_compatible.spec import Chat, Completions, Rerank, openai_compatible
from runtime.spec import Moved, wire

SPEC = openai_compatible(
    "vllm",
    summary="A vLLM server: open-weight models at scale",
    base_url_env="VLLM_URL",
    api_key_env="VLLM_API_TOKEN",
    enabled_by="VLLM_URL",
    older={"tls_verify": Moved("network.tls.verify")},  # until 1.5
    chat=Chat(
        # It passes over fields that it does not know.
        rules=(REASONING_BACK, *NO_FUNCTIONS, *TEXT_ONLY),
        reasoning_field="reasoning",
    ),
    completions=Completions(rules=refused("suffix", why="does not fill in before a suffix")),
    rerank=Rerank(rules=ignored("max_tokens_per_doc", why="has no limit for a document")),
    evidence=wire("vLLM needs a GPU; a local server answers as documented, and a llama.cpp server stands in"),
)
