"""Turns texts into vectors by the inference API: what several files need at once is asked for together."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.json import encode

from runtime.access import Nameless, User
from runtime.apis.inference.protocol import EmbeddingsRequest, Inference
from runtime.apis.models import Model, Models
from runtime.context import RequestContext, current, serving
from runtime.errors import RequestError, StackError
from runtime.provider import Tasks
from runtime.providers.vector_stores.builtin.indexes import VectorIndex
from runtime.providers.vector_stores.builtin.listed import model_of_type
from runtime.providers.vector_stores.builtin.patience import PAUSES_S, may_pass, patiently
from runtime.providers.vector_stores.builtin.vectors import BYTES_PER_NUMBER, decoded
from runtime.telemetry.spans import Span, current_span, inside

EMBEDDING_PARAM = "embedding_model"
TEXTS_AT_ONCE = 64
_CALLS_AT_ONCE = 2


@dataclass(frozen=True)
class EmbeddingModel:
    """id: its name in requests. source: its owner's id, which stays the same while its name may change its meaning.
    dimension, context_tokens: None where its provider does not say.
    """

    id: str
    source: str
    dimension: int | None
    context_tokens: int | None

    @classmethod
    def of(cls, model: Model) -> EmbeddingModel:
        source = f"{model.provider_id}/{model.provider_resource_id}"
        return cls(model.id, source, _count(model, "embedding_dimension"), _count(model, "context_length"))


@dataclass(frozen=True)
class _Key:
    """Texts with one key may be in one request. sent: for providers, by the caller, as JSON."""

    model: str
    dimension: int | None
    caller: str | Nameless
    sent: bytes = field(repr=False)


@dataclass
class _Wanted:
    texts: Sequence[str]
    context: RequestContext
    span: Span | None
    done: asyncio.Future[bytes] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class TextEmbedder:
    """tasks: of the provider. pauses_s: before each further attempt at a model that is busy."""

    def __init__(
        self, inference: Inference, models: Models, tasks: Tasks, *, pauses_s: Sequence[float] = PAUSES_S
    ) -> None:
        self._inference = inference
        self._models = models
        self._tasks = tasks
        self._pauses_s = pauses_s
        self._waiting: dict[_Key, deque[_Wanted]] = defaultdict(deque)
        self._working: dict[_Key, int] = defaultdict(int)

    async def model(self, name: str | None) -> EmbeddingModel:
        """The embedding model of this name; by default, the first that is served. Raises RequestError if it is unknown
        or of another type, or if none is served.
        """
        return EmbeddingModel.of(await model_of_type(self._models, name, "embedding", param=EMBEDDING_PARAM))

    async def check(self, index: VectorIndex) -> EmbeddingModel:
        """The model of an index. Raises RequestError if it is not served, or if its name means another model than the
        one that the index was made with.
        """
        hint = "reindex the vector store, or serve the former model under this name"
        try:
            model = await self.model(index.embedding_model)
        except RequestError as error:
            error.hint = hint
            raise
        if model.source != index.embedding_source:
            raise RequestError(
                f"The vector store was made with `{index.embedding_source}`, and `{index.embedding_model}` now is"
                f" `{model.source}`",
                hint=hint,
                param=EMBEDDING_PARAM,
                code="embedding_model_changed",
            )
        return model

    async def dimension(self, model: EmbeddingModel) -> int:
        """Of the model's vectors; it is asked if its provider does not say. Raises what embedding raises."""
        if model.dimension is not None:
            return model.dimension
        return len(await self._ask(["dimension"], model.id, None)) // BYTES_PER_NUMBER

    async def query(self, texts: Sequence[str], model: str, dimension: int) -> list[bytes]:
        """A vector for each text, for the caller of the current request. Raises what inference raises, and RequestError
        if the model makes vectors of another dimension.
        """
        made = await self._ask(texts, model, dimension)
        size = dimension * BYTES_PER_NUMBER
        return [made[at : at + size] for at in range(0, len(made), size)]

    async def passages(self, texts: Sequence[str], model: str, dimension: int) -> bytes:
        """The vectors of texts to be kept, one after the other, for the caller of the current request; asked for
        together with those that others of the same caller wait for. texts: at most TEXTS_AT_ONCE.

        A model that is busy or down is asked again for half a minute. Raises as `query` does.
        """
        user, sent = current().user, current().provider_data
        caller = user.principal if isinstance(user, User) else user
        key = _Key(model, dimension, caller, encode(sent, order="sorted"))
        wanted = _Wanted(texts, RequestContext(user=user, provider_data=sent), current_span())
        self._waiting[key].append(wanted)
        if self._working[key] < _CALLS_AT_ONCE:
            self._working[key] += 1
            self._tasks.spawn(self._work(key), name=f"embed with {model}")
        return await wanted.done

    async def _work(self, key: _Key) -> None:
        try:
            while self._waiting[key]:
                await self._answer(self._next(key), key)
        finally:
            self._working[key] -= 1
            if not self._working[key]:
                for abandoned in self._waiting.pop(key, ()):  # the provider ends
                    abandoned.done.cancel()
                del self._working[key]

    def _next(self, key: _Key) -> list[_Wanted]:
        """As many as fit into one request, and at least one."""
        waiting, total = self._waiting[key], 0
        taken: list[_Wanted] = []
        while waiting and (not taken or total + len(waiting[0].texts) <= TEXTS_AT_ONCE):
            one = waiting.popleft()
            if not one.done.done():  # its file may have been cancelled
                taken.append(one)
                total += len(one.texts)
        return taken

    async def _answer(self, several: list[_Wanted], key: _Key) -> None:
        if not several:
            return
        try:
            with (
                serving(several[0].context),
                inside(several[0].span),
            ):  # of those who wait, the first has it in its trace
                texts = [text for one in several for text in one.texts]
                made = await patiently(lambda: self._ask(texts, key.model, key.dimension), pauses_s=self._pauses_s)
        except Exception as error:
            if len(several) == 1 or not isinstance(error, StackError) or may_pass(error):
                _fail(several, error)
                return
            for one in several:  # so that a text that is refused fails its own file only
                await self._answer([one], key)
        except BaseException:
            for one in several:
                one.done.cancel()
            raise
        else:
            size = len(made) // sum(len(one.texts) for one in several)
            at = 0
            for one in several:
                end = at + size * len(one.texts)
                if not one.done.done():
                    one.done.set_result(made[at:end])
                at = end

    async def _ask(self, texts: Sequence[str], model: str, dimension: int | None) -> bytes:
        request = EmbeddingsRequest(model=model, input=list(texts), encoding_format="base64")
        answer = (await self._inference.embeddings(request)).value()["data"]
        made = decoded([one["embedding"] for one in sorted(answer, key=lambda one: one["index"])])
        expected = len(texts) * (dimension or 0) * BYTES_PER_NUMBER
        if dimension is not None and len(made) != expected:
            is_now = len(made) // len(texts) // BYTES_PER_NUMBER
            raise RequestError(
                f"Model `{model}` now makes vectors of {is_now} numbers; the vector store has vectors of {dimension}",
                hint="reindex the vector store",
                param=EMBEDDING_PARAM,
                code="dimension_mismatch",
            )
        return made


def _count(model: Model, fact: str) -> int | None:
    value = model.metadata.get(fact)
    return value if isinstance(value, int) and value > 0 else None


def _fail(several: list[_Wanted], error: Exception) -> None:
    for one in several:
        if not one.done.done():
            one.done.set_exception(error.for_another() if isinstance(error, StackError) else error)
