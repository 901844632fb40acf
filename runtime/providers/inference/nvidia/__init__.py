"""NVIDIA's models, hosted by NVIDIA or in a NIM container of yours.
https://docs.api.nvidia.com/nim/reference and https://docs.nvidia.com/nim/
"""

from runtime.providers.inference._openai_compatible.rules import ONE_LIMIT, Added, ignored
from runtime.providers.inference._openai_compatible.spec import Chat, Embeddings, Rerank, openai_compatible
from runtime.spec import NoEffect, wire

SPEC = openai_compatible(
    "nvidia",
    summary="NVIDIA NIM, hosted or your own: chat, embeddings, reranking",
    base_url="https://integrate.api.nvidia.com/v1",
    base_url_env="NVIDIA_BASE_URL",
    api_key_env="NVIDIA_API_KEY",
    older={"append_api_version": NoEffect("an address without a path gets `/v1`")},  # until 0.3
    adapter=".adapter:NvidiaInference",
    config=".config:NvidiaConfig",
    chat=Chat(
        rules=(ONE_LIMIT,),
        reasoning_field="reasoning",
        usage="always",
    ),
    embeddings=Embeddings(
        rules=(Added("input_type", "query", "its models embed queries and passages differently"),),
    ),
    rerank=Rerank(
        path="/ranking",
        documents="passages",
        as_objects=True,
        top_n="",
        results="rankings",
        score="logit",
        rules=ignored("max_tokens_per_doc", why="has no limit for a document, only `truncate`"),
    ),
    evidence=wire("a local server that answers as NVIDIA's documentation says"),
)
