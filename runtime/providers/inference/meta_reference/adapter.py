"""Inference by our own engine, in this process.

Weights are loaded while the server already answers; an early request waits for them, up to a bound. The engine's thread
owns the tensors, so the event loop is never blocked. Knows requests and answers; not tokens.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.apis.inference import ChatCompletionRequest, CompletionRequest
from runtime.apis.inference.abilities import Abilities, AbilitiesRequest
from runtime.apis.inference.counting import TokenCount
from runtime.apis.providers import ProviderHealth
from runtime.context import current
from runtime.engine.checkpoint_kinds import locate
from runtime.engine.engine import Engine
from runtime.engine.options import EngineOptions
from runtime.engine.sampling_params import SamplingParams
from runtime.engine.text.text_model import TextModel
from runtime.engine.text.text_stream import TextOutput, TextStream
from runtime.engine.waiting_room import early_room
from runtime.errors import RequestError
from runtime.provider import ListedModel, ProviderContext, healthy
from runtime.providers.inference._embedded import Loading
from runtime.providers.inference.meta_reference.answers import ChatShape, CompletionShape, Shape
from runtime.providers.inference.meta_reference.chats import chat_prompt, prepare_chat
from runtime.providers.inference.meta_reference.completions import best, count_answers, prepare_completions
from runtime.providers.inference.meta_reference.config import MetaReferenceConfig
from runtime.providers.inference.meta_reference.defaults import sampling_defaults
from runtime.providers.inference.meta_reference.requests import place_in_line, stop_strings
from runtime.providers.inference.meta_reference.usage import Usage
from runtime.providers.inference.meta_reference.weights import find_weights
from runtime.sse import EventStream, Frames, Reply

if TYPE_CHECKING:
    from runtime.engine.text.chat_template import ChatTemplate
    from runtime.engine.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)


class MetaReferenceInference:
    """One model of our engine.

    Raises RequestError (400) for a prompt longer than the context, NotSupported (501) for what the engine cannot do,
    RateLimited (429) where too many wait, Unavailable (503) while the model is not loaded.
    """

    def __init__(self, config: MetaReferenceConfig, context: ProviderContext) -> None:
        self._name, self._path = find_weights(config.model, config.checkpoint_dir, context.models_dir)
        self._defaults = sampling_defaults(self._name, self._path)
        self.load_timeout_s = config.load_timeout_s
        self._loading = Loading(self._name, limit_s=config.load_timeout_s)
        self._early = early_room(self._name, config.max_waiting, unit="answers")
        self._engine = Engine(
            EngineOptions(
                model=self._path,
                device=config.device,
                dtype=config.dtype,
                max_batch_size=config.max_batch_size,
                max_context_tokens=config.max_seq_len,
                kv_cache_bytes=config.kv_cache_bytes,
                prefill_chunk_tokens=config.prefill_chunk_tokens,
                prefix_cache_tokens=config.prefix_cache_tokens,
                max_waiting=config.max_waiting,
                threads=config.threads,
                name=self._name,
            )
        )
        self._text: TextModel | None = None

    async def start(self) -> None:
        """Load tokenizer and weights at the same time. Raises CheckpointInvalid for damaged or unknown files."""
        await self._loading.run(self._load())
        plan = self._engine.plan
        log.info(
            "model loaded",
            extra={
                "model": self._name,
                "device": plan.device,
                "dtype": plan.dtype,
                "context_tokens": plan.context_tokens,
            },
        )

    async def _load(self) -> None:
        await asyncio.to_thread(locate, self._path)  # clearer than a missing tokenizer
        try:
            (tokenizer, template), _ = await asyncio.gather(
                asyncio.to_thread(_read_text, self._path), self._engine.start()
            )
        except BaseException:
            await self._engine.stop()  # without a tokenizer the weights are of no use
            raise
        self._text = TextModel(self._engine, tokenizer, template, vocab_size=self._engine.config.vocab_size)

    async def stop(self) -> None:
        await self._engine.stop()

    async def list_models(self) -> list[ListedModel]:
        metadata: dict[str, Any] = {"loaded": self._text is not None}
        if self._text is not None:
            metadata["context_length"] = self._engine.plan.context_tokens
        if advised := self._defaults.advised():
            metadata["sampling_defaults"] = advised
        return [ListedModel(provider_model_id=self._name, model_type="llm", metadata=metadata)]

    async def check_health(self) -> ProviderHealth:
        stats = self._engine.stats()
        return healthy(
            f"{self._name} on {self._engine.plan.device}: {stats.running} running, {stats.waiting} waiting",
            metrics={self._name: self._engine.figures()},
        )

    async def chat_completion(self, request: ChatCompletionRequest) -> Reply | EventStream:
        model = await self._model(request, answers=request.n or 1)
        chat = await asyncio.to_thread(prepare_chat, model, request, self._defaults)
        shape = ChatShape(
            request.model,
            with_logprobs=bool(request.logprobs),
            reader=lambda: model.reader(chat.form),
            older_calls=chat.older_calls,
        )
        shown = model.structure_in(chat.form)
        each = request.n or 1
        return await self._answer(model, request, [chat.prompt], chat.params, shape, each=each, kept=each, shown=shown)

    async def get_abilities(self, request: AbilitiesRequest) -> Abilities:
        return Abilities(strict_functions=True)

    async def count_tokens(self, request: ChatCompletionRequest) -> TokenCount:
        model = await self._model(request, answers=1)
        prompt, _, _ = await asyncio.to_thread(chat_prompt, model, request)
        return TokenCount(tokens=len(prompt.ids))

    async def completion(self, request: CompletionRequest) -> Reply | EventStream:
        answers = count_answers(request)
        model = await self._model(request, answers=answers)
        made = await asyncio.to_thread(prepare_completions, model, request, self._defaults)
        shape = CompletionShape(
            request.model,
            with_logprobs=request.logprobs is not None,
            echoes=made.echoes,
            only_echo=made.only_echo,
        )
        return await self._answer(model, request, made.prompts, made.params, shape, each=made.each, kept=made.kept)

    async def _model(self, request: ChatCompletionRequest | CompletionRequest, *, answers: int) -> TextModel:
        """The loaded model; an early request waits for it. answers: how many the request asks for.

        Raises Unavailable where loading fails or takes too long, RateLimited where too many wait, RequestError for
        another model's name.
        """
        await self._loading.wait(self._early.within(answers, len(request.raw or b"")))
        assert self._text is not None
        if request.model != self._name:
            raise RequestError(
                f"This provider serves `{self._name}`, not `{request.model}`", param="model", code="model_not_found"
            )
        return self._text

    async def _answer(
        self,
        model: TextModel,
        request: ChatCompletionRequest | CompletionRequest,
        prompts: list[list[int]],
        params: SamplingParams,
        shape: Shape,
        *,
        each: int,
        kept: int,
        shown: frozenset[int] = frozenset(),
    ) -> Reply | EventStream:
        """Answer every prompt `each` times and return the best `kept`. shown: special tokens that `shape` needs to see.

        The engine's errors are raised here, before the first byte.
        """
        lengths = [len(prompt) for prompt in prompts]
        self._engine.check_size(lengths, each)
        usage = Usage(prompt_tokens=sum(lengths), each=each)
        stop = stop_strings(request.stop)
        line = place_in_line(request)
        streams: list[TextStream] = []
        try:
            for prompt in prompts:
                for copy in range(each):
                    seeded = _seeded_copy(params, copy)
                    streams.append(model.generate_text(prompt, seeded, stop, shown=shown, **line))
        except BaseException:
            await _close_all(streams)
            raise
        if request.stream:
            return EventStream(
                _frames(streams, shape, usage, wants_usage=request.wants_usage), lambda: _close_all(streams)
            )
        choices: list[list[TextOutput]] = [[] for _ in streams]
        with current().timing:
            async with aclosing(_merged(streams)) as outputs:
                async for index, output in outputs:
                    choices[index].append(output)
                    usage.add(index, output)
        return Reply.of(shape.whole(choices if kept == each else best(choices, each, kept), usage))


async def _close_all(streams: list[TextStream]) -> None:
    for stream in streams:
        await stream.aclose()


async def _frames(
    streams: list[TextStream], shape: Shape, usage: Usage, *, wants_usage: bool
) -> AsyncGenerator[Frames, None]:
    opened: set[int] = set()
    async with aclosing(_merged(streams)) as outputs:
        async for index, output in outputs:
            usage.add(index, output)
            events = shape.chunks(index, output, usage)
            if index not in opened:
                opened.add(index)
                if (opening := shape.opening(index, output)) is not None:
                    events.insert(0, opening)
            if len(usage.ended) == len(streams) and not wants_usage and (timings := usage.timings()) is not None:
                events[-1]["timings"] = timings
            if events:
                yield Frames.of(*events)
    if wants_usage:
        yield Frames.of(shape.usage_chunk(usage))


async def _merged(streams: list[TextStream]) -> AsyncGenerator[tuple[int, TextOutput], None]:
    """The outputs of several streams as they arrive, each with its stream's index. Closing it closes them all."""
    if len(streams) == 1:
        try:
            async for output in streams[0]:
                yield 0, output
        finally:
            await streams[0].aclose()
        return
    arrived: asyncio.Queue[tuple[int, TextOutput] | Exception | None] = asyncio.Queue()

    async def pump(index: int, stream: TextStream) -> None:
        try:
            async for output in stream:
                arrived.put_nowait((index, output))
            arrived.put_nowait(None)
        except Exception as error:
            arrived.put_nowait(error)

    tasks = [asyncio.create_task(pump(index, stream)) for index, stream in enumerate(streams)]
    try:
        running = len(tasks)
        while running:
            item = await arrived.get()
            if item is None:
                running -= 1
            elif isinstance(item, Exception):
                raise item
            else:
                yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for stream in streams:
            await stream.aclose()


def _seeded_copy(params: SamplingParams, copy: int) -> SamplingParams:
    """The parameters of one of `n` answers: each has its own seed, or all would be the same."""
    if copy == 0 or params.seed is None:
        return params
    return replace(params, seed=params.seed + copy)


def _read_text(path: Path) -> tuple[Tokenizer, ChatTemplate | None]:
    """A model's tokenizer and chat template. Imports numpy, tokenizers and jinja2: so not before the server answers."""
    from runtime.engine.text.loading import load_chat_template, load_tokenizer

    tokenizer = load_tokenizer(path)
    return tokenizer, load_chat_template(path, tokenizer)
