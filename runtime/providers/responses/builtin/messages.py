"""A conversation's items as the messages of a chat: what the model reads.

Only what an item says counts, not its id or status: so the same history gives the same messages, whether it is kept in
responses, in a conversation or by the caller. Items are as they were checked by `runtime.apis.responses.items`, without
references.

    reasoning, message of the assistant, function calls   one assistant's message, as far as they follow each other
    file_search_call                                      nothing: what was found is in the answer after it
    compaction                                            what a system says, first of all, in place of everything
                                                          before it but messages of users, systems and developers
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from runtime.apis.responses.items import kind_of
from runtime.errors import RequestError
from runtime.sse import Json

COMPACTED = (
    "The conversation so far was summarised. Of what went before the summary, only the user's messages are left, below."
    " The summary:\n\n"
)
_INSTRUCTS = ("system", "developer")


def messages_of(items: Iterable[Json], *, opened: Callable[[str], str | None]) -> list[Json]:
    """opened: what is in an encrypted content; None for one that cannot be read: a thought is then left out. Raises
    RequestError for the output of a call that is not there, and for a compaction that cannot be read.
    """
    found: list[Json] = []
    last: Json | None = None  # the assistant's message that may still grow
    called: set[str] = set()
    summary: Json | None = None
    first = 0  # the place of the summary: behind what systems say at the beginning
    for item in items:
        kind = kind_of(item)
        if kind == "reasoning":
            if thought := _thought(item, opened):
                last = _assistant(found, last if last and not _says(last) else None)
                last["reasoning_content"] = last.get("reasoning_content", "") + thought
        elif kind == "message" and item["role"] == "assistant":
            last = _assistant(found, last if last and not _says(last) else None)
            last |= _said(item["content"])
        elif kind == "function_call":
            last = _assistant(found, last)
            call = {"name": item["name"], "arguments": item["arguments"]}
            last.setdefault("tool_calls", []).append({"id": item["call_id"], "type": "function", "function": call})
            called.add(item["call_id"])
        elif kind == "function_call_output":
            if item["call_id"] not in called:
                raise RequestError(
                    f"A `function_call_output` answers the call `{item['call_id'][:100]}`, which does not go before it",
                    hint="send the `function_call` item too, or name its response as `previous_response_id`",
                    param="input",
                )
            output = _content(item["output"])
            found.append({"role": "tool", "tool_call_id": item["call_id"], "content": output})
            last = None
        elif kind == "message":
            found.append({"role": item["role"], "content": _content(item["content"])})
            last = None
        elif kind == "compaction":
            summary = _summary(item, opened)
            found = [message for message in found if message["role"] not in ("assistant", "tool")]
            first = next((at for at, message in enumerate(found) if message["role"] not in _INSTRUCTS), len(found))
            last = None
            called.clear()
    if summary is not None:
        found.insert(first, summary)
    return found


def _summary(item: Json, opened: Callable[[str], str | None]) -> Json:
    summary = opened(item["encrypted_content"])
    if summary is None:
        raise RequestError(
            f"The compaction `{str(item.get('id'))[:100]}` cannot be read: it was not made here, or it was changed",
            hint="send the items that it stands for, or name its response as `previous_response_id`",
            param="input",
        )
    return {"role": "system", "content": COMPACTED + summary}


def _assistant(found: list[Json], last: Json | None) -> Json:
    if last is None:
        last = {"role": "assistant", "content": None}
        found.append(last)
    return last


def _says(message: Json) -> bool:
    """Whether it says or calls something, so that what is thought or said next is another message."""
    return message["content"] is not None or "tool_calls" in message or "refusal" in message


def _thought(item: Json, opened: Callable[[str], str | None]) -> str:
    if text := "".join(part["text"] for part in item.get("content") or ()):
        return text
    sealed = item.get("encrypted_content")
    return (opened(sealed) if sealed else None) or ""


def _said(content: str | list[Json]) -> Json:
    """An assistant's content and refusal."""
    if isinstance(content, str):
        return {"content": content}
    texts = [part["text"] for part in content if "text" in part]
    refusals = [part["refusal"] for part in content if part["type"] == "refusal"]
    said: Json = {"content": "".join(texts) if texts else None}
    return said | ({"refusal": "".join(refusals)} if refusals else {})


def _content(content: str | list[Json]) -> str | list[Json]:
    """Texts alone are one text, which every provider takes."""
    if isinstance(content, str):
        return content
    if all("text" in part for part in content):
        return "".join(part["text"] for part in content)
    return [_part(part) for part in content]


def _part(part: Json) -> Json:
    """A part of a chat message. Files have been read, see `inputs.py`."""
    if part["type"] == "input_image":
        image: dict[str, Any] = {"url": part["image_url"]}
        if detail := part.get("detail"):
            image["detail"] = detail
        return {"type": "image_url", "image_url": image}
    return {"type": "text", "text": part["text"] if "text" in part else part["refusal"]}
