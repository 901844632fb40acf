"""Settings of NVIDIA's models."""

from __future__ import annotations

from pydantic import Field

from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig


class NvidiaConfig(OpenAICompatibleConfig):
    rerank_model_to_url: dict[str, str] = Field(
        {"nv-rerank-qa-mistral-4b:1": "https://ai.api.nvidia.com/v1/retrieval/nvidia/reranking"},
        description="The address of a reranking model, by its name; others are found by NVIDIA's rule, or below "
        "`base_url` if that is a server of yours.",
    )
