"""A completion request as the engine's work: prompts, sampling parameters, and which of its answers are returned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from runtime.apis.inference.protocol import MAX_INPUTS, CompletionRequest
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.text.answer_grammar import AnswerForm
from runtime.engine.text.infill import infill_prompt
from runtime.engine.text.text_model import TextModel
from runtime.engine.text.text_stream import TextOutput
from runtime.errors import NotSupported, RequestError
from runtime.providers.inference._extra_fields import extra_fields
from runtime.providers.inference.meta_reference.defaults import SamplingDefaults
from runtime.providers.inference.meta_reference.formats import text_form
from runtime.providers.inference.meta_reference.requests import completion_params

Prompt = str | list[str] | list[int] | list[list[int]]


@dataclass(frozen=True, kw_only=True)
class Completions:
    """prompts: token ids. each: answers that are made for each prompt. kept: how many of them are returned.

    echoes: the text before each returned answer; empty for none. only_echo: the answer itself is left out.
    """

    prompts: list[list[int]]
    params: SamplingParams
    each: int
    kept: int
    echoes: list[str]
    only_echo: bool


def count_answers(request: CompletionRequest) -> int:
    """How many answers a request makes. Raises RequestError for more than one may have: each is a sequence."""
    each, prompts = max(request.best_of or 1, request.n or 1), _count(request.prompt)
    if prompts * each > MAX_INPUTS:
        raise RequestError(
            f"{prompts} prompts with {each} answers each are more than the {MAX_INPUTS} answers of one request",
            param="n",
        )
    return prompts * each


def prepare_completions(model: TextModel, request: CompletionRequest, defaults: SamplingDefaults) -> Completions:
    """What the engine does for a request. Takes milliseconds, or a second for the largest schemas: not for an event
    loop.

    Raises RequestError and NotSupported, naming the field, for what is wrong or cannot be done.
    """
    kept = request.n or 1
    each = max(request.best_of or 1, kept)
    if request.best_of is not None and request.best_of < kept:
        raise RequestError(f"`best_of` is {request.best_of}; it must be at least `n`, {kept}.", param="best_of")
    if each > kept and request.stream:
        raise RequestError("`best_of` cannot be streamed: which answers are best shows at their end.", param="best_of")
    params = completion_params(request, defaults)
    if each > kept and params.logprobs is None:
        params = replace(params, logprobs=0)
    extra = extra_fields(request)
    form = AnswerForm(text=text_form(extra.get("response_format"), extra))  # which vLLM takes here too
    prompts = _infill(model, request) if request.suffix else _prompt_ids(model, request.prompt)
    decoded = [model.tokenizer.decode(prompt) if request.echo else "" for prompt in prompts]
    return Completions(
        prompts=prompts,
        params=replace(params, grammar=model.grammar(form)),
        each=each,
        kept=kept,
        echoes=[text for text in decoded for _ in range(kept)],
        only_echo=request.max_tokens == 0,
    )


def best(choices: Sequence[list[TextOutput]], each: int, kept: int) -> list[list[TextOutput]]:
    """Of every `each` answers the `kept` whose tokens are likeliest on average, best first; empty ones come last."""
    found: list[list[TextOutput]] = []
    for start in range(0, len(choices), each):
        found += sorted(choices[start : start + each], key=_mean_logprob, reverse=True)[:kept]
    return found


def _mean_logprob(outputs: list[TextOutput]) -> float:
    logprobs = [token.logprob for output in outputs for token in output.tokens]
    return sum(logprobs) / len(logprobs) if logprobs else -math.inf


def _infill(model: TextModel, request: CompletionRequest) -> list[list[int]]:
    if request.echo:
        raise RequestError("`echo` cannot be combined with `suffix`.", param="echo")
    if not isinstance(request.prompt, str):
        raise RequestError("With a `suffix` the prompt is one text.", param="prompt")
    prompt = infill_prompt(model.tokenizer, request.prompt, request.suffix or "")
    if prompt is None:
        raise NotSupported("This model was not trained to fill in between a prompt and a suffix.", param="suffix")
    return [prompt]


def _count(prompt: Prompt) -> int:
    return 1 if isinstance(prompt, str) or (prompt and isinstance(prompt[0], int)) else len(prompt)


def _prompt_ids(model: TextModel, prompt: Prompt) -> list[list[int]]:
    if isinstance(prompt, str):
        return [model.tokenizer.encode(prompt)]
    if not prompt:
        raise RequestError("`prompt` is empty", param="prompt", code="invalid_value")
    if isinstance(prompt[0], int):
        return [prompt]
    return [model.tokenizer.encode(one) if isinstance(one, str) else list(one) for one in prompt]
