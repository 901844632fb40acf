"""Jina AI: embeddings and reranking. https://api.jina.ai/redoc"""

from runtime.providers.inference._openai_compatible.rules import ignored, left_out
from runtime.providers.inference._openai_compatible.spec import Embeddings, Rerank, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "jina",
    summary="Jina AI's embedding and reranking models",
    base_url="https://api.jina.ai/v1",
    api_key_env="JINA_API_KEY",
    lists_models=False,
    model_type="embedding",
    chat=None,
    completions=None,
    embeddings=Embeddings(
        rules=left_out("encoding_format", "user", why="it does not know it, and we convert its vectors"),
        takes_ids=False,
    ),
    rerank=Rerank(rules=ignored("max_tokens_per_doc", why="has no limit for a document")),
    evidence=wire("a local server that answers as Jina's documentation says"),
)
