"""Voyage AI: embeddings and reranking. https://docs.voyageai.com/reference/embeddings-api"""

from runtime.providers.inference._openai_compatible.rules import Renamed, ignored, left_out
from runtime.providers.inference._openai_compatible.spec import Embeddings, Rerank, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "voyage",
    summary="Voyage AI's embedding and reranking models",
    base_url="https://api.voyageai.com/v1",
    api_key_env="VOYAGE_API_KEY",
    lists_models=False,
    model_type="embedding",
    chat=None,
    completions=None,
    embeddings=Embeddings(
        rules=(
            Renamed("dimensions", "output_dimension", "its own name"),
            *left_out("encoding_format", why="it has no `float`; we convert its vectors"),
            *left_out("user", why="it refuses names that it does not know"),
        ),
        takes_ids=False,
    ),
    rerank=Rerank(
        top_n="top_k",
        results="data",
        rules=ignored("max_tokens_per_doc", why="has no limit for a document, only `truncation`"),
    ),
    evidence=wire("a local server that answers as Voyage's documentation says"),
)
