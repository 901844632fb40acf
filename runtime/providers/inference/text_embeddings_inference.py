"""Hugging Face's Text Embeddings Inference, a server for one model: embeddings or reranking.
https://huggingface.github.io/text-embeddings-inference/
"""

from runtime.providers.inference._openai_compatible.rules import ignored
from runtime.providers.inference._openai_compatible.spec import Rerank, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "text-embeddings-inference",
    summary="A Text Embeddings Inference server: embeddings or reranking",
    base_url="http://localhost:8080/v1",
    base_url_env="TEI_URL",
    api_key_env="TEI_API_KEY",
    enabled_by="TEI_URL",
    key_required=False,
    models_path="../info",
    chat=None,
    completions=None,
    rerank=Rerank(
        path="../rerank",
        documents="texts",
        top_n="",
        results="",
        score="score",
        rules=ignored("max_tokens_per_doc", why="has no limit for a document, only `truncate`"),
    ),
    evidence=wire("no such server can be installed where the tests run; a local one answers as documented"),
)
