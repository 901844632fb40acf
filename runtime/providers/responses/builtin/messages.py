"""A conversation's items as the messages of a chat: what the model reads.

Only what an item says counts, not its id or status: so the same history gives the same messages, whether it is kept in
responses, in a conversation or by the caller. Items are as they were checked by `runtime.apis.responses.items`, without
references.

    reasoning, message of the assistant, function calls   one assistant's message, as far as they follow each other
    custom_tool_call                                      the same: a call with one argument, `input`
    function_call_output, custom_tool_call_output         behind the message with its call, whatever stands between
    mcp_call                                              a call of the assistant's message, and what it gave back
    mcp_approval_response, if it refuses                  the same of the call that was asked for
    code_interpreter_call                                 the same of the code
    file_search_call, web_search_call                     nothing: what was found is in the answer after it
    mcp_list_tools, mcp_approval_request                  nothing
    compaction                                            what a system says, first of all, in place of everything
                                                          before it but messages of users, systems and developers

Left out is what was broken off and no provider takes: thoughts after which nothing was said, and calls whose arguments
are no whole object, where nobody answered them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from runtime.apis.responses.items import kind_of
from runtime.errors import RequestError
from runtime.providers.responses.builtin.custom_input import arguments_of
from runtime.providers.responses.builtin.outcomes import outcome_of
from runtime.sse import Json, encode, is_json_object

COMPACTED = (
    "The conversation so far was summarised. Of what went before the summary, only the user's messages are left, below."
    " The summary:\n\n"
)
_TEXTS = {"input_text": "text", "output_text": "text", "refusal": "refusal"}
"""The parts that are texts, and the member that holds each."""
CODE_INTERPRETER = "code_interpreter"
"""What the model calls the function that runs code."""
_NOT_SHOWN = "[What came of this code is not shown any more.]"
_INSTRUCTS = ("system", "developer")


def messages_of(
    items: Iterable[Json],
    *,
    opened: Callable[[str], str | None],
    name_of: Callable[[str, str], str] = lambda label, name: name,
) -> list[Json]:
    """opened: what is in an encrypted content; None for one that cannot be read: a thought is then left out. name_of:
    what the model calls a tool, by its server's label and its name there. Raises RequestError for the output of a call
    that is not there, and for a compaction that cannot be read.
    """
    found: list[Json] = []
    last: Json | None = None  # the assistant's message that may still grow
    called: dict[str, Json] = {}  # the message that each call is part of, by the call's id
    asked: dict[str, Json] = {}  # what the caller was asked to allow, by the item's id
    made = 0  # how many calls were made here: by its number each is the same, however its item came
    summary: Json | None = None
    first = 0  # the place of the summary: behind what systems say at the beginning
    for item in items:
        kind = kind_of(item)
        if kind == "message" and item["role"] != "assistant":
            found.append({"role": item["role"], "content": _content(item["content"])})
            last = None
        elif kind == "message":
            last = _assistant(found, last if last and _goes_on(last) else None)
            _say(last, item["content"])
        elif kind == "reasoning":
            if thought := _thought(item, opened):
                last = _assistant(found, last if last and _goes_on(last) else None)
                last["reasoning_content"] = last.get("reasoning_content", "") + thought
        elif kind == "function_call":
            last = _assistant(found, last)
            _call(last, item["call_id"], item["name"], item["arguments"])
            called[item["call_id"]] = last
        elif kind == "custom_tool_call":
            last = _assistant(found, last)
            _call(last, item["call_id"], item["name"], arguments_of(item["input"]))
            called[item["call_id"]] = last
        elif kind in ("function_call_output", "custom_tool_call_output"):
            if item["call_id"] not in called:
                raise RequestError(
                    f"A `{kind}` answers the call `{item['call_id'][:100]}`, which does not go before it",
                    hint=f"send the `{kind.removesuffix('_output')}` item too, or name its response as"
                    " `previous_response_id`",
                    param="input",
                )
            output = {"role": "tool", "tool_call_id": item["call_id"], "content": _content(item["output"])}
            found.insert(_behind(found, called[item["call_id"]]), output)
            last = None
        elif kind == "mcp_approval_request":
            asked[item["id"]] = item
        elif kind in ("mcp_call", "mcp_approval_response"):
            if (meant := item if kind == "mcp_call" else _refused(item, asked)) is not None:
                last, made = _assistant(found, last), made + 1
                id = f"call_mcp_{made}"
                _call(last, id, name_of(meant["server_label"], meant["name"]), meant["arguments"])
                found.insert(_behind(found, last), {"role": "tool", "tool_call_id": id, "content": outcome_of(item)})
                last = None
        elif kind == "code_interpreter_call":
            last, made = _assistant(found, last), made + 1
            id = f"call_code_{made}"
            _call(last, id, CODE_INTERPRETER, encode({"code": item["code"] or ""}).decode())
            found.insert(_behind(found, last), {"role": "tool", "tool_call_id": id, "content": _logs(item)})
            last = None
        elif kind == "compaction":
            summary = _summary(item, opened)
            found = [message for message in found if message["role"] not in ("assistant", "tool")]
            first = next((at for at, message in enumerate(found) if message["role"] not in _INSTRUCTS), len(found))
            last = None
            called.clear()
    if summary is not None:
        found.insert(first, summary)
    _leave_out_broken_calls(found)
    return [message for message in found if message["role"] != "assistant" or _says(message)]


def _summary(item: Json, opened: Callable[[str], str | None]) -> Json:
    summary = opened(item["encrypted_content"])
    if summary is None:
        raise RequestError(
            f"The compaction `{str(item.get('id'))[:100]}` cannot be read: it was not made here, or it was changed",
            hint="send the items that it stands for, or name its response as `previous_response_id`",
            param="input",
        )
    return {"role": "system", "content": COMPACTED + summary}


def _refused(answer: Json, asked: Mapping[str, Json]) -> Json | None:
    """The call that is refused by an answer; None if it is allowed."""
    return None if answer["approve"] else asked.get(answer["approval_request_id"])


def _logs(item: Json) -> str:
    """What came of code, as the model was told."""
    logs = [output["logs"] for output in item.get("outputs") or () if isinstance(output.get("logs"), str)]
    return "\n".join(logs) if logs else _NOT_SHOWN


def _call(message: Json, id: str, name: str, arguments: str) -> None:
    calls = message.setdefault("tool_calls", [])
    call = {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
    if call not in calls:  # whoever names the response before sends some of its items again
        calls.append(call)


def _assistant(found: list[Json], last: Json | None) -> Json:
    if last is None:
        last = {"role": "assistant", "content": None}
        found.append(last)
    return last


def _says(message: Json) -> bool:
    """Whether it says or calls something."""
    return message["content"] is not None or "tool_calls" in message or "refusal" in message


def _goes_on(message: Json) -> bool:
    """Whether what is thought or said next is part of it: after a call too, which only its output may follow."""
    return "tool_calls" in message or not _says(message)


def _behind(found: list[Json], message: Json) -> int:
    """The place behind a message and the outputs of its calls. It is looked for from the end, where it mostly is."""
    place = len(found)
    while found[place - 1] is not message:
        place -= 1
    while place < len(found) and found[place]["role"] == "tool":
        place += 1
    return place


def _leave_out_broken_calls(found: list[Json]) -> None:
    for place, message in enumerate(found):
        if "tool_calls" not in message:
            continue
        answered = _answered(found, place)
        calls = [call for call in message["tool_calls"] if call["id"] in answered or _is_whole(call)]
        if len(calls) < len(message["tool_calls"]):
            message["tool_calls"] = calls
        if not calls:
            del message["tool_calls"]


def _answered(messages: Sequence[Json], place: int) -> set[str]:
    """The ids of the calls in the message at a place whose outputs follow it."""
    after = itertools.islice(messages, place + 1, None)
    return {one["tool_call_id"] for one in itertools.takewhile(lambda one: one["role"] == "tool", after)}


def check_answered(messages: Sequence[Json]) -> None:
    """Raises RequestError for a call without an output, which providers refuse, each in its own words."""
    for place, message in enumerate(messages):
        for call in message.get("tool_calls") or ():
            if call["id"] not in _answered(messages, place):
                raise RequestError(
                    f"The call `{call['id'][:100]}` of `{call['function']['name'][:100]}` has no output",
                    hint="send a `function_call_output` with its `call_id`",
                    param="input",
                )


def _is_whole(call: Json) -> bool:
    return is_json_object(call["function"]["arguments"].encode())


def _thought(item: Json, opened: Callable[[str], str | None]) -> str:
    if text := "".join(part["text"] for part in item.get("content") or ()):
        return text
    sealed = item.get("encrypted_content")
    return (opened(sealed) if sealed else None) or ""


def _say(message: Json, content: str | list[Json]) -> None:
    """Add what an assistant says to its content and refusal."""
    parts = [{"type": "output_text", "text": content}] if isinstance(content, str) else content
    for part in parts:
        if (text := _text(part)) is not None:
            name = "refusal" if part["type"] == "refusal" else "content"
            message[name] = (message.get(name) or "") + text


def _content(content: str | list[Json]) -> str | list[Json]:
    """Texts alone are one text, which every provider takes."""
    if isinstance(content, str):
        return content
    texts = [_text(part) for part in content]
    said = [text for text in texts if text is not None]
    return "".join(said) if len(said) == len(texts) else [_part(part) for part in content]


def _part(part: Json) -> Json:
    """A part of a chat message. Files have been read, see `inputs.py`."""
    if part["type"] == "input_image":
        image: dict[str, Any] = {"url": part["image_url"]}
        if detail := part.get("detail"):
            image["detail"] = detail
        return {"type": "image_url", "image_url": image}
    return {"type": "text", "text": _text(part)}


def _text(part: Json) -> str | None:
    """None for a part that is no text."""
    member = _TEXTS.get(part["type"])
    return part[member] if member else None
