"""The messages of a chat while they are made of items, in the items' order.

An assistant's message takes in what is thought, said and called, as far as these follow each other; the outputs of its
calls stand behind it, whatever stands between. Left out is what was broken off and no provider takes: thoughts after
which nothing was said, and calls whose arguments are no whole object, where nobody answered them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from runtime.apis.inference.calls import EXTRA, call_message, readable
from runtime.apis.inference.guardrails import Judged
from runtime.errors import RequestError
from runtime.http.data_addresses import in_base64
from runtime.providers.responses.builtin.refused import without_refused
from runtime.sse import Json, is_json_object

_TEXTS = {"input_text": "text", "output_text": "text", "refusal": "refusal"}
"""The parts that are texts, and the member that holds each."""
_INSTRUCTS = ("system", "developer")


class Transcript:
    """name_of: what the model calls a tool, by the label of its server or group and its name there. referred: what a
    tool has put here of its items, by their ids, since later ones may name them.
    """

    def __init__(self, name_of: Callable[[str, str], str]) -> None:
        self.name_of = name_of
        self.referred: dict[str, Json] = {}
        self._messages: list[Json] = []
        self._last: Json | None = None  # the assistant's message that may still grow
        self._called: dict[str, Json] = {}  # the message that each call is part of, by the call's id
        self._calls: set[tuple[int, str, str, str]] = set()  # in which message, by `_number`; id, name, arguments
        self._outputs: dict[int, list[Json]] = {}  # of the calls in a message, by `_number`
        self._made = 0  # how many calls were made here: by its number each is the same, however its item came
        self._summary: tuple[int, Json] | None = None  # with its place: behind what systems say at the beginning

    def add(self, role: str, content: str | list[Json]) -> None:
        """What somebody said who is not the assistant."""
        self._messages.append({"role": role, "content": content_of(content)})
        self._last = None

    def say(self, content: str | list[Json]) -> None:
        """What the assistant said: a text, or parts of text and refusal."""
        message = self._spoken()
        parts = [{"type": "output_text", "text": content}] if isinstance(content, str) else content
        for part in parts:
            if (text := _text(part)) is not None:
                name = "refusal" if part["type"] == "refusal" else "content"
                message[name] = (message.get(name) or "") + text

    def think(self, thought: str) -> None:
        """What the assistant thought."""
        message = self._spoken()
        message["reasoning_content"] = message.get("reasoning_content", "") + thought

    def call(self, item: Json, arguments: str) -> None:
        """A call that the caller was to answer. item: of the call; arguments: as a function has them."""
        self._called[item["call_id"]] = self._call(item["call_id"], item["name"], arguments, item.get(EXTRA))

    def answer(self, item: Json) -> None:
        """What the caller answered to a call: an item with `call_id` and `output`. Raises RequestError where the call
        does not go before it.
        """
        kind, id = item["type"], item["call_id"]
        if id not in self._called:
            raise RequestError(
                f"A `{kind}` answers the call `{id[:100]}`, which does not go before it",
                hint=f"send the `{kind.removesuffix('_output')}` item too, or name its response as"
                " `previous_response_id`",
                param="input",
            )
        self._put_behind(self._called[id], id, content_of(item["output"]))

    def made(self, kind: str, name: str, arguments: str, told: str) -> None:
        """A call that was made here, and what the model was told. kind: a word for its id."""
        self._made += 1
        id = f"call_{kind}_{self._made}"
        self._put_behind(self._call(id, name, arguments), id, told)

    def compact(self, summary: str) -> None:
        """Put a summary, first of all, in place of everything so far but messages of users, systems and developers.
        Those that were refused go too.
        """
        self._messages = [Judged(one) for one in without_refused(self._messages) if one["role"] != "assistant"]
        self._outputs.clear()
        self._calls.clear()
        places = (at for at, one in enumerate(self._messages) if one["role"] not in _INSTRUCTS)
        self._summary = next(places, len(self._messages)), {"role": "system", "content": summary}
        self._last = None
        self._called.clear()

    def messages(self) -> list[Json]:
        """All of them. Nothing can be added any more."""
        if self._summary is not None:
            self._messages.insert(*self._summary)
        found = [one for message in self._messages for one in (message, *self._outputs.get(_number(message), ()))]
        _mend_broken_calls(found)
        return [message for message in found if message["role"] != "assistant" or _says(message)]

    def _spoken(self) -> Json:
        """The message that goes on with what is thought or said next: after a call too, which only its output may
        follow.
        """
        if self._last is not None and "tool_calls" not in self._last and _says(self._last):
            self._last = None
        return self._assistant()

    def _assistant(self) -> Json:
        if self._last is None:
            self._last = {"role": "assistant", "content": None}
            self._messages.append(self._last)
        return self._last

    def _call(self, id: str, name: str, arguments: str, extra: Json | None = None) -> Json:
        message = self._assistant()
        calls = message.setdefault("tool_calls", [])
        same = (_number(message), id, name, arguments)
        if same not in self._calls:  # whoever names the response before sends some of its items again
            self._calls.add(same)
            calls.append(call_message(id, name, arguments, extra))
        return message

    def _put_behind(self, message: Json, id: str, content: str | list[Json]) -> None:
        """Behind a message and the outputs of its calls."""
        output = {"role": "tool", "tool_call_id": id, "content": content}
        self._outputs.setdefault(_number(message), []).append(output)
        self._last = None


def _number(message: Json) -> int:
    """Of a message that is kept here, and so has its number for itself."""
    return id(message)


def content_of(content: str | list[Json]) -> str | list[Json]:
    """As a chat has it. Texts alone are one text, which every provider takes."""
    if isinstance(content, str):
        return content
    texts = [_text(part) for part in content]
    said = [text for text in texts if text is not None]
    return "".join(said) if len(said) == len(texts) else [_part(part) for part in content]


def answered(messages: Sequence[Json], place: int) -> set[str]:
    """The ids of the calls in the message at a place whose outputs follow it."""
    after = itertools.islice(messages, place + 1, None)
    return {one["tool_call_id"] for one in itertools.takewhile(lambda one: one["role"] == "tool", after)}


def _says(message: Json) -> bool:
    """Whether it says or calls something."""
    return message["content"] is not None or "tool_calls" in message or "refusal" in message


def _mend_broken_calls(messages: list[Json]) -> None:
    """Leave out those that nobody answered, and let the others have arguments that providers take."""
    for place, message in enumerate(messages):
        if "tool_calls" not in message:
            continue
        known = answered(messages, place)
        calls = [call for call in message["tool_calls"] if call["id"] in known or _is_whole(call)]
        for call in calls:
            function = call["function"]
            function["arguments"] = readable(function["arguments"])
        if len(calls) < len(message["tool_calls"]):
            message["tool_calls"] = calls
        if not calls:
            del message["tool_calls"]


def _is_whole(call: Json) -> bool:
    return is_json_object(call["function"]["arguments"].encode())


def _part(part: Json) -> Json:
    """A part of a chat message. Files have been read, see `inputs.py`."""
    if part["type"] == "input_image":
        image: dict[str, Any] = {"url": in_base64(part["image_url"])}
        if detail := part.get("detail"):
            image["detail"] = detail
        return {"type": "image_url", "image_url": image}
    return {"type": "text", "text": _text(part)}


def _text(part: Json) -> str | None:
    """None for a part that is no text."""
    member = _TEXTS.get(part["type"])
    return part[member] if member else None
