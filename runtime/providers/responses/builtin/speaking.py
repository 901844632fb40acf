"""How one response's model is spoken to: with tools as its provider takes them, and within what it can read."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from runtime.apis.inference.protocol import Inference
from runtime.context import warn
from runtime.errors import StackError, UpstreamRejected
from runtime.providers.responses.builtin.asking import chat_request
from runtime.providers.responses.builtin.in_words import CallsInText, refuses_tools, without_tools
from runtime.providers.responses.builtin.tools.custom import as_provider_has_it
from runtime.providers.responses.builtin.truncating import is_too_long, truncated
from runtime.sse import EventStream, Json, Reply
from runtime.telemetry.changes import note_change


class Speaking:
    """settings: of each chat completion, tools among them. truncates: whether the oldest messages are left out where
    there are too many.
    """

    def __init__(self, inference: Inference, settings: Json, *, truncates: bool) -> None:
        self._inference = inference
        self._settings = settings
        self._truncates = truncates
        self._tools_in_words = False
        self._heard: CallsInText | None = None

    def has_called(self) -> None:
        """What had to be called has been: from now on the model may answer."""
        if "tool_choice" in self._settings:
            if self._settings["tool_choice"] not in ("auto", "none"):
                note_change("after the first call, `tool_choice` was `auto`")
            self._settings = {**self._settings, "tool_choice": "auto"}

    def take_away(self, names: Collection[str]) -> None:
        """These tools are not called any more: from now on the model answers without them."""
        left = [tool for tool in self._settings["tools"] if tool[tool["type"]]["name"] not in names]
        note_change(f"no more calls were allowed of {', '.join(f'`{name}`' for name in sorted(names))}")
        # A request without tools, whose messages have calls, is refused by some providers.
        self._settings = {**self._settings, **({"tools": left} if left else {"tool_choice": "none"})}

    async def ask(self, messages: list[Json], *, streams: bool) -> Reply | EventStream:
        """The model's answer. messages: those that are left out are removed. Raises what its provider raises before it
        answers.
        """
        for shorter in truncated([*messages]) if self._truncates else ():
            try:
                return await self._ask(messages, streams=streams)
            except StackError as error:
                if not is_too_long(error):
                    raise
                note_change(f"{len(messages) - len(shorter)} messages were left out: the model cannot read as many")
                messages[:] = shorter
        return await self._ask(messages, streams=streams)

    def heard(self, chunk: Json) -> Iterable[Json]:
        """A chunk of the answer, or a whole one, as chunks that have tools as they should be."""
        return (chunk,) if self._heard is None else self._heard.heard(chunk)

    def rest(self) -> Iterable[Json]:
        """What was not heard before the answer had ended."""
        return () if self._heard is None else self._heard.rest()

    async def _ask(self, messages: list[Json], *, streams: bool) -> Reply | EventStream:
        if not self._tools_in_words:
            try:
                told = as_provider_has_it(self._settings.get("tools", ()), messages)
                return await self._inference.chat_completion(chat_request(self._settings, told, stream=streams))
            except UpstreamRejected as error:
                if "tools" not in self._settings or not refuses_tools(error):
                    raise
            self._tools_in_words = True
            warn("the model's provider takes no tools: they are described to the model in words")
        settings, told = without_tools(self._settings, messages)
        self._heard = CallsInText()
        return await self._inference.chat_completion(chat_request(settings, told, stream=streams))
