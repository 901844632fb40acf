"""Changes a request's JSON to what a vendor accepts: by the rules in its data, and by what it has of tools and formats.

A field that cannot be honoured is an error, or is left out with a warning; nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Any

import msgspec

from runtime.apis._request import Request
from runtime.apis.inference.tool_use import name_of, named_in
from runtime.context import warn
from runtime.errors import RequestError
from runtime.http.data_addresses import is_data_address
from runtime.providers.inference._openai_compatible.rules import (
    Added,
    Capped,
    Ignored,
    LeftOut,
    OneOf,
    Refused,
    Renamed,
    Rule,
)
from runtime.providers.inference._openai_compatible.spec import Chat, Completions
from runtime.sse import Json
from runtime.telemetry.changes import note_change


def given_fields(request: Request, *, opaque: Container[str] = ()) -> Json:
    """A request's JSON, without those of OpenAI's fields that are null, which stands for their default: a vendor that
    does not have a field refuses its name. Other names may mean something as null. opaque: as of `Request.wire`. Raises
    RequestError for what cannot be sent on.
    """
    body = request.wire(opaque=opaque)
    if None in body.values():
        known = type(request).model_fields
        return {name: value for name, value in body.items() if value is not None or name not in known}
    return body


_IMAGE = "messages[].content[].image_url"
_DEVELOPER = b'"developer"'
_decode_messages = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode
_CHOICES = ("none", "auto", "required")
"""OpenAI's choices that are words; some vendors that have them all have more."""


def apply_rules(rules: Sequence[Rule], body: Json, *, provider_id: str) -> None:
    """Change `body` by each rule in turn. Raises RequestError for a field that is refused."""
    for rule in rules:
        if isinstance(rule, Added):
            if body.get(rule.field) is None:
                body[rule.field] = rule.value
                warn(f"`{rule.field}` was not given, and `{provider_id}` requires it: {rule.value!r} was sent")
            continue
        if "." not in rule.field and rule.field not in body:
            continue
        if isinstance(rule, LeftOut) and body.get(rule.unless):
            continue
        is_missed = False
        for holder, name in _places(body, rule.field):
            if isinstance(rule, Capped):
                _cap(rule, holder, name, provider_id)
                continue
            if isinstance(rule, OneOf):
                if holder[name] is not None and holder[name] not in rule.values:
                    raise refusal(rule.field, provider_id, rule.why)
                continue
            value = holder.pop(name)
            match rule:
                case Renamed() if value is not None and not (rule.gives_way and holder.get(rule.to) is not None):
                    holder[rule.to] = value
                    note_change(f"`{rule.field}` was sent as `{rule.to}`")
                case LeftOut() if value is not None:
                    note_change(f"`{rule.field}` was left out")
                case Refused() if value is not None and value not in rule.unless:
                    raise refusal(rule.field, provider_id, rule.why)
                case Ignored() if value is not None and value not in rule.unless:
                    is_missed = True
        if is_missed:
            warn(f"`{rule.field}` has no effect: `{provider_id}` {rule.why}")


def _cap(rule: Capped, holder: dict[str, Any], name: str, provider_id: str) -> None:
    value = holder[name]
    if isinstance(value, int | float) and value > rule.most:
        holder[name] = rule.most
        warn(f"`{rule.field}` was lowered to {rule.most}: `{provider_id}` {rule.why}")


def refusal(field: str, provider_id: str, why: str) -> RequestError:
    """The error for a field that a vendor cannot honour. why: the rest of a sentence that begins with the provider."""
    return RequestError(
        f"`{field}` cannot be honoured: `{provider_id}` {why}",
        hint=f"leave out `{field}`, or ask a model of another provider",
        param=field,
        code="unsupported_parameter",
    )


class MessageFields:
    """Decodes the messages of a chat where they have a field that `apply_rules` or `fit_chat` looks for. Else they stay
    JSON: they may be long, and mostly have none.
    """

    def __init__(self, chat: Chat) -> None:
        rules = [rule.field for rule in chat.rules if rule.field.startswith("messages[].")]
        below = [field.removeprefix("messages[].") for field in (*rules, *(() if chat.remote_images else (_IMAGE,)))]
        self._developers = chat.developers
        self._names = frozenset(name for name in below if "." not in name)
        # Of a field such as `tool_calls[].extra_content`: where it is, and its name as JSON has it.
        inside = [(name.partition("[]")[0], name.rpartition(".")[2]) for name in below if "." in name]
        self._inside = [(where, f'"{name}"'.encode()) for where, name in inside]

    def read(self, body: Json) -> None:
        """body: with `messages` as JSON, or decoded. Raises RequestError for a number beyond all range."""
        messages = body["messages"]
        if not isinstance(messages, msgspec.Raw):
            return
        may_be_said_by_developers = not self._developers and _DEVELOPER in bytes(messages)
        if not (self._names or self._inside or may_be_said_by_developers):
            return
        if any(self._is_of_interest(message) for message in _decode_messages(messages)):
            try:
                body["messages"] = msgspec.json.decode(messages)
            except ValueError as error:
                words = f"The messages cannot be read: {error}"
                raise RequestError(words, param="messages", code="invalid_json") from error

    def _is_of_interest(self, message: dict[str, msgspec.Raw]) -> bool:
        if not self._names.isdisjoint(message):
            return True
        if not self._developers and bytes(message.get("role", b"")) == _DEVELOPER:
            return True
        return any(name in message and quoted in bytes(message[name]) for name, quoted in self._inside)


def fit_chat(chat: Chat, body: Json, *, provider_id: str) -> None:
    """Tools, tool choice, images, response format and who speaks as the vendor has them.

    Raises RequestError for what it cannot do.
    """
    if body.get("tools") or body.get("functions") or body.get("tool_choice") is not None:
        _fit_tools(chat, body, provider_id)
    elif body.get("tools") is not None and not chat.tools:
        del body["tools"]
    if body.get("response_format") is not None:
        _fit_format(chat, body, provider_id)
    if not chat.remote_images:
        _refuse_remote_images(body, provider_id)
    if not chat.developers:
        for message, name in _places(body, "messages[].role"):
            if message[name] == "developer":
                message[name] = "system"
                note_change("what developers say was sent as the system's")


def _refuse_remote_images(body: Json, provider_id: str) -> None:
    for part, name in _places(body, _IMAGE):
        image = part[name]  # an object, or for some clients its address alone
        url = image.get("url") if isinstance(image, dict) else image
        if not is_data_address(str(url)):
            raise refusal(f"{_IMAGE}.url", provider_id, "does not fetch images: only a `data:` URL can be sent")


def fit_prompt(completions: Completions, body: Json, *, provider_id: str) -> None:
    """The prompt of a text completion as the vendor takes it. Raises RequestError for token ids, or several prompts,
    that it does not take.
    """
    prompt = body.get("prompt")
    if not isinstance(prompt, list) or not prompt:
        return
    if not completions.takes_ids and not isinstance(prompt[0], str):
        raise refusal("prompt", provider_id, "takes texts, not token ids")
    if not completions.takes_several and not isinstance(prompt[0], int):
        if len(prompt) > 1:
            raise refusal("prompt", provider_id, "takes one prompt at a time")
        body["prompt"] = prompt[0]


def _fit_tools(chat: Chat, body: Json, provider_id: str) -> None:
    choice = body.get("tool_choice")
    if body.get("functions") and not chat.tools:
        raise refusal("functions", provider_id, "has no tools")
    if choice == "none" and (not chat.tools or "none" not in chat.tool_choices):
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            body.pop(name, None)
        note_change("the tools were left out, of which none was to be called")
        return
    if not chat.tools:
        raise refusal("tools" if body.get("tools") else "tool_choice", provider_id, "has no tools")
    if isinstance(choice, dict):
        _fit_named(chat, body, choice, provider_id)
    elif choice == "auto" and choice not in chat.tool_choices:
        del body["tool_choice"]  # it is the default
    elif choice == "required" and choice not in chat.tool_choices:
        raise refusal("tool_choice", provider_id, "cannot be made to call a tool")
    elif choice not in (None, *_CHOICES) and not chat.tool_choices.issuperset(_CHOICES):
        raise refusal("tool_choice", provider_id, f"has no choice `{choice}`")


def _fit_named(chat: Chat, body: Json, choice: Json, provider_id: str) -> None:
    """A choice of some tools: the others are not shown to the model, if the vendor cannot choose."""
    if "named" in chat.tool_choices:
        return
    mode = choice["allowed_tools"]["mode"] if choice["type"] == "allowed_tools" else "required"
    if mode not in chat.tool_choices:
        raise refusal("tool_choice", provider_id, "cannot be made to call a tool")
    named = named_in(choice)
    shown = [tool for tool in body.get("tools") or () if name_of(tool) in named]
    if not shown:
        raise refusal("tool_choice", provider_id, "can choose only among functions and custom tools")
    body["tools"], body["tool_choice"] = shown, mode
    note_change("only those tools were sent that `tool_choice` names")


def _fit_format(chat: Chat, body: Json, provider_id: str) -> None:
    wanted = body["response_format"]
    kind = wanted.get("type")
    if kind == "text" and "text" not in chat.formats:
        del body["response_format"]  # it is the default
    elif kind == "json_object" and kind not in chat.formats:
        if "json_schema" not in chat.formats:
            raise refusal("response_format", provider_id, "cannot be made to answer with JSON")
        schema = wanted.get("schema") or {"type": "object"}  # a schema here is llama.cpp's own
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "object", "schema": schema}}
        note_change("`response_format` was sent as a schema of any object")
    elif kind == "json_schema" and kind not in chat.formats:
        raise refusal("response_format", provider_id, "cannot be made to answer by a JSON schema")
    if body.get("stream") and kind in chat.whole_formats:
        body["stream"] = False
        body.pop("stream_options", None)
        note_change("the whole answer was asked for, and is streamed from here")
    if chat.format_style == "tgi" and (style := body.get("response_format")) is not None:
        _fit_tgi(body, style)


def _fit_tgi(body: Json, style: Json) -> None:
    """https://huggingface.co/docs/text-generation-inference/basic_tutorials/using_guidance"""
    if style.get("type") == "json_schema":
        schema = (style.get("json_schema") or {}).get("schema") or {"type": "object"}
        body["response_format"] = {"type": "json", "value": schema}
    elif style.get("type") == "json_object":
        body["response_format"] = {"type": "json", "value": {"type": "object"}}


def _places(body: Json, field: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Every object in a body that has a field such as `tools[].function.strict`, and the last name of the field."""
    *outer, name = field.split(".")
    holders: list[Any] = [body]
    for part in outer:
        inner, is_list = part.removesuffix("[]"), part.endswith("[]")
        values = [holder.get(inner) for holder in holders if isinstance(holder, dict)]
        holders = [one for value in values if isinstance(value, list) for one in value] if is_list else values
    return ((holder, name) for holder in holders if isinstance(holder, dict) and name in holder)
