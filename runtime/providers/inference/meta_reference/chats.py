"""A chat request as the engine's work: prompt, sampling parameters, and what the answer must look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.context import warn
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.text.answer_grammar import AnswerForm, CallForm
from runtime.engine.text.text_model import ChatPrompt, TextModel
from runtime.errors import NotSupported, RequestError
from runtime.providers.inference._extra_fields import extra_fields, warn_ignored
from runtime.providers.inference.meta_reference.defaults import SamplingDefaults
from runtime.providers.inference.meta_reference.formats import text_form
from runtime.providers.inference.meta_reference.older_functions import (
    as_tool_choice,
    as_tools,
    has_older_form,
    with_newer_messages,
)
from runtime.providers.inference.meta_reference.requests import chat_params
from runtime.providers.inference.meta_reference.tool_use import ToolUse, tool_use

if TYPE_CHECKING:  # jinja2 is loaded with the model, not before the socket answers
    from runtime.engine.text.chat_template import ChatTemplate


@dataclass(frozen=True, kw_only=True)
class Chat:
    """prompt: token ids. older_calls: the answer has calls of OpenAI's older form."""

    prompt: list[int]
    params: SamplingParams
    form: AnswerForm
    older_calls: bool


def prepare_chat(model: TextModel, request: ChatCompletionRequest, defaults: SamplingDefaults) -> Chat:
    """What the engine does for a request. Takes milliseconds, or a second for the largest schemas: not for an event
    loop. Adds warnings to the request's context.

    Raises RequestError and NotSupported, naming the field, for what is wrong or cannot be done.
    """
    params = chat_params(request, defaults)
    prompt, use, is_older = chat_prompt(model, request)
    template = model.chats
    form = AnswerForm(
        text=text_form(request.response_format, extra_fields(request)),
        calls=_call_form(use, template),
        reasons=template.reasons,
        is_open=prompt.opens_reasoning,
    )
    grammar = model.grammar(form)
    return Chat(prompt=prompt.ids, params=replace(params, grammar=grammar), form=form, older_calls=is_older)


def chat_prompt(model: TextModel, request: ChatCompletionRequest) -> tuple[ChatPrompt, ToolUse, bool]:
    """What the model reads, the tools it may use, and whether these have OpenAI's older form. Raises as `prepare_chat`
    does.
    """
    _refuse(request)
    use, is_older = _tool_use(request)
    messages = with_newer_messages(request.messages)
    prompt = model.render_chat(messages, list(use.tools) or None, variables=_variables(request, model.chats))
    return prompt, use, is_older


def _tool_use(request: ChatCompletionRequest) -> tuple[ToolUse, bool]:
    if not has_older_form(request):
        return tool_use(request.tools, request.tool_choice, request.parallel_tool_calls), False
    return tool_use(as_tools(request.functions), as_tool_choice(request.function_call), False), True


def _call_form(use: ToolUse, template: ChatTemplate) -> CallForm | None:
    if not use.callable:
        return None
    if not template.knows_tools:
        warn("this model's template knows no tools: they are described to the model in words")
    functions, warnings = use.functions()
    for words in warnings:
        warn(words)
    several = use.several and template.takes_several_calls
    return CallForm(dialect=template.dialect, functions=functions, required=use.required, several=several)


def _refuse(request: ChatCompletionRequest) -> None:
    """Raises NotSupported for what would make an answer of another kind."""
    if request.modalities is not None and set(request.modalities) - {"text"}:
        raise NotSupported("This model answers in text only.", param="modalities")
    for name in ("audio", "web_search_options"):
        if getattr(request, name) is not None:
            raise NotSupported(f"This model's provider has nothing for `{name}`.", param=name)


_QUIET_EFFORTS = ("none", "minimal")


def _variables(request: ChatCompletionRequest, template: ChatTemplate) -> dict[str, Any]:
    """Names for the template: vLLM's `chat_template_kwargs`, and `reasoning_effort` where it knows how to use it."""
    given = extra_fields(request).get("chat_template_kwargs") or {}
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise RequestError("`chat_template_kwargs` is an object.", param="chat_template_kwargs")
    variables = dict(given)
    if unused := sorted(name for name in variables if not template.uses(name)):
        warn(f"not used by this model's template: {', '.join(unused)}")
    effort = request.reasoning_effort
    if effort is not None:
        if template.uses("reasoning_effort"):
            variables.setdefault("reasoning_effort", effort)
        elif template.uses("enable_thinking"):
            variables.setdefault("enable_thinking", effort not in _QUIET_EFFORTS)
        elif template.reasons or effort not in _QUIET_EFFORTS:
            warn_ignored("reasoning_effort")
    return variables
