"""NVIDIA's addresses for reranking: hosted, each model has one of its own."""

from __future__ import annotations

from urllib.parse import urlsplit

from runtime.provider import ProviderContext
from runtime.providers.inference._openai_compatible.adapter import OpenAICompatibleInference
from runtime.providers.inference._openai_compatible.reranking import in_path
from runtime.providers.inference.nvidia.config import NvidiaConfig

_HOSTED = "integrate.api.nvidia.com"
_HOSTED_RERANKING = "https://ai.api.nvidia.com/v1/retrieval/{}/reranking"


class NvidiaInference(OpenAICompatibleInference):
    """As any vendor with OpenAI's protocol, except for where it reranks."""

    def __init__(self, config: NvidiaConfig, context: ProviderContext) -> None:
        self._addresses = config.rerank_model_to_url
        super().__init__(config, context)

    def url(self, path: str, model: str) -> str:
        """Hosted models rerank at addresses with their names, in which a dot is an underscore."""
        reranks = self._facts.rerank is not None and path == self._facts.rerank.path
        if reranks and model in self._addresses:
            return self._addresses[model]
        if reranks and urlsplit(self._base_url).hostname == _HOSTED:
            return _HOSTED_RERANKING.format(in_path(model.replace(".", "_")))
        return super().url(path, model)
