"""Inference by our own engine, in this process.

Weights are loaded while the server already answers, or by the first request for a model; requests wait for them, up to
a bound. Each engine's thread owns its tensors, so the event loop is never blocked. Knows requests and answers; not
tokens.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from runtime.apis.inference.abilities import Abilities, AbilitiesRequest
from runtime.apis.inference.counting import TokenCount
from runtime.apis.inference.protocol import ChatCompletionRequest, CompletionRequest
from runtime.context import current
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.requests.waiting_room import early_room
from runtime.engine.text.text_stream import TextOutput, TextStream
from runtime.errors import RequestError
from runtime.provider import ListedModel, ProviderContext
from runtime.providers.inference._extra_fields import checked_keep_alive, extra_fields
from runtime.providers.inference._models_in_memory import ModelsInMemory
from runtime.providers.inference._pool_members import Lease
from runtime.providers.inference._pool_report import shown
from runtime.providers.inference.meta_reference.answers import ChatShape, CompletionShape, Shape
from runtime.providers.inference.meta_reference.chats import chat_prompt, prepare_chat
from runtime.providers.inference.meta_reference.completions import best, count_answers, prepare_completions
from runtime.providers.inference.meta_reference.config import MetaReferenceConfig, ModelEntry
from runtime.providers.inference.meta_reference.defaults import SamplingDefaults
from runtime.providers.inference.meta_reference.requests import place_in_line, stop_strings
from runtime.providers.inference.meta_reference.runner import EngineRunner
from runtime.providers.inference.meta_reference.served import engine_options, language_models
from runtime.providers.inference.meta_reference.steps import Steps, now_s
from runtime.providers.inference.meta_reference.streams import close_all, frames, merged
from runtime.providers.inference.meta_reference.usage import Usage
from runtime.sse import EventStream, Reply
from runtime.telemetry.spans import current_span


class MetaReferenceInference(ModelsInMemory[ModelEntry, SamplingDefaults, EngineRunner]):
    """One or several models of our engine.

    Raises RequestError (400) for a prompt longer than the context, NotSupported (501) for what the engine cannot do,
    RateLimited (429) where too many wait, Unavailable (503) while the model is not loaded.
    """

    def __init__(self, config: MetaReferenceConfig, context: ProviderContext) -> None:
        kind = language_models(context.models_dir, context.cache_dir / "kernels")
        room = partial(early_room, unit="answers")
        super().__init__(kind, config.entries(), context, max_loaded=config.max_loaded_models, room=room)
        for one in self._served.values():
            engine_options(one.name, one.entry, one.path or Path(one.name))  # now, not when it is first asked for

    async def list_models(self) -> list[ListedModel]:
        found = []
        for name, member in self._pool.members.items():
            metadata: dict[str, Any] = shown(member.state)
            if member.runner is not None:
                metadata["context_length"] = member.runner.plan.context_tokens
            if advised := self._served[name].facts.advised():
                metadata["sampling_defaults"] = advised
            found.append(ListedModel(provider_model_id=name, model_type="llm", metadata=metadata))
        return found

    async def chat_completion(self, request: ChatCompletionRequest) -> Reply | EventStream:
        async with self._leased(request, answers=request.n or 1) as lease:
            model, defaults = lease.model.text, self._served[request.model].facts
            chat = await asyncio.to_thread(prepare_chat, model, request, defaults)
            shape = ChatShape(
                request.model,
                with_logprobs=bool(request.logprobs),
                reader=lambda: model.reader(chat.form),
                older_calls=chat.older_calls,
            )
            seen = model.structure_in(chat.form)
            each = request.n or 1
            return await self._answer(
                lease, request, [chat.prompt], chat.params, shape, each=each, kept=each, shown=seen
            )

    async def get_abilities(self, request: AbilitiesRequest) -> Abilities:
        return Abilities(strict_functions=True)

    async def count_tokens(self, request: ChatCompletionRequest) -> TokenCount:
        async with self._leased(request, answers=1) as lease:
            prompt, _, _ = await asyncio.to_thread(chat_prompt, lease.model.text, request)
            return TokenCount(tokens=len(prompt.ids))

    async def completion(self, request: CompletionRequest) -> Reply | EventStream:
        answers = count_answers(request)
        async with self._leased(request, answers=answers) as lease:
            defaults = self._served[request.model].facts
            made = await asyncio.to_thread(prepare_completions, lease.model.text, request, defaults)
            shape = CompletionShape(
                request.model,
                with_logprobs=request.logprobs is not None,
                echoes=made.echoes,
                only_echo=made.only_echo,
            )
            return await self._answer(lease, request, made.prompts, made.params, shape, each=made.each, kept=made.kept)

    @asynccontextmanager
    async def _leased(
        self, request: ChatCompletionRequest | CompletionRequest, *, answers: int
    ) -> AsyncGenerator[Lease[EngineRunner], None]:
        """The use of the requested model, which is loaded first. answers: how many the request asks for.

        Raises as `ModelPool.acquire`, and RateLimited where too many wait for it.
        """
        name = self._pool.member(request.model).name
        within = self._early[name].within(answers, len(request.raw or b""))
        keep_alive_s = checked_keep_alive(extra_fields(request).get("keep_alive"))
        lease = await self._pool.acquire(name, within, keep_alive_s=keep_alive_s)
        try:
            yield lease
        except RequestError as error:
            if error.param == "prompt" and isinstance(request, ChatCompletionRequest):
                error.param = "messages"  # the prompt is made of these
            raise
        finally:
            lease.release()

    async def _answer(
        self,
        lease: Lease[EngineRunner],
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

        The engine's errors are raised here, before the first byte. A stream keeps the model in use until its end.
        """
        model = lease.model
        lengths = [len(prompt) for prompt in prompts]
        model.engine.check_size(lengths, each)
        usage = Usage(prompt_tokens=sum(lengths), each=each)
        stop = stop_strings(request.stop)
        line = place_in_line(request)
        streams: list[TextStream] = []
        span = current_span()
        steps = None if span is None else Steps(span=span, streams=streams, prompts=lengths, began_s=now_s())
        try:
            for prompt in prompts:
                for copy in range(each):
                    seeded = _seeded_copy(params, copy)
                    streams.append(model.text.generate_text(prompt, seeded, stop, shown=shown, **line))
        except BaseException:
            await close_all(streams)
            raise
        if request.stream:
            use = lease.another()

            async def end() -> None:
                try:
                    await close_all(streams)
                finally:
                    use.release()
                    if steps is not None:
                        steps.note(usage)

            return EventStream(frames(streams, shape, usage, wants_usage=request.wants_usage), end)
        choices: list[list[TextOutput]] = [[] for _ in streams]
        try:
            with current().timing:
                async with aclosing(merged(streams)) as outputs:
                    async for index, output in outputs:
                        choices[index].append(output)
                        usage.add(index, output)
        finally:
            if steps is not None:
                steps.note(usage)
        return Reply.of(shape.whole(choices if kept == each else best(choices, each, kept), usage))


def _seeded_copy(params: SamplingParams, copy: int) -> SamplingParams:
    """The parameters of one of `n` answers: each has its own seed, or all would be the same."""
    if copy == 0 or params.seed is None:
        return params
    return replace(params, seed=params.seed + copy)
