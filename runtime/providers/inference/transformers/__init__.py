"""Reranking in this process by models that Hugging Face's transformers library computes: Qwen3-Reranker and its like,
which answer yes or no, and cross-encoders of any architecture. No key, no network service.

https://huggingface.co/Qwen/Qwen3-Reranker-0.6B (read November 2026)
"""

from runtime.spec import inline, live

SPEC = inline(
    "transformers",
    summary="Reranking made here by models that the transformers library computes, such as Qwen3-Reranker",
    adapter=".adapter:TransformersInference",
    config=".config:TransformersConfig",
    packages=("torch>=2.8", "transformers>=5,<6", "safetensors>=0.5", "tokenizers>=0.21"),
    capabilities=frozenset({"rerank"}),
    evidence=live("tiny random models of Qwen3 and of BERT, computed as their makers' documentation says"),
)
