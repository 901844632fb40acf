"""Calls that are the caller's to answer, as items of the output: of functions, and of custom tools."""

from __future__ import annotations

from typing import Protocol

from runtime.apis.inference.calls import EXTRA, Call
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.custom_input import ArgumentsRead
from runtime.sse import Json


class CalledItem(Protocol):
    """The item of a call that is being written."""

    def add(self, piece: str) -> None:
        """The next piece of what it is called with, as its provider sends it."""
        ...

    def keep(self) -> None:
        """Put what has come into the item: there is no more, though there should be."""
        ...

    def end(self, status: str) -> None:
        """It is complete, or as complete as it gets."""
        ...


class FunctionItem(CalledItem):
    def __init__(self, answering: Answering, call: Call) -> None:
        self._answering, self._call = answering, call
        self._item = answering.new_item(
            "function_call", call_id=call.id, name=call.name, arguments="", status="in_progress"
        )
        _keep_extra(call, self._item)
        self._place = call.place = answering.add(self._item)

    def add(self, piece: str) -> None:
        self._answering.event("response.function_call_arguments.delta", {**self._where(), "delta": piece})

    def keep(self) -> None:
        self._item["arguments"] = self._call.arguments
        _keep_extra(self._call, self._item)

    def end(self, status: str) -> None:
        if not self._call.parts and status == "completed":
            self._call.parts.append("{}")  # what callers expect of a function without arguments
            self.add("{}")
        self.keep()
        self._item["status"] = status
        done = {**self._where(), "name": self._call.name, "arguments": self._call.arguments}
        self._answering.event("response.function_call_arguments.done", done)
        self._answering.done(self._place)

    def _where(self) -> Json:
        return {"item_id": self._item["id"], "output_index": self._place}


class CustomItem(CalledItem):
    """Whether its provider has custom tools, or it is called as a function."""

    def __init__(self, answering: Answering, call: Call) -> None:
        self._answering, self._call = answering, call
        self._read = None if call.has_text else ArgumentsRead()
        self._pieces: list[str] = []
        self._item = answering.new_item(
            "custom_tool_call", call_id=call.id, name=call.name, input="", status="in_progress"
        )
        _keep_extra(call, self._item)
        self._place = call.place = answering.add(self._item)

    def add(self, piece: str) -> None:
        self._tell(piece if self._read is None else self._read.add(piece))

    def keep(self) -> None:
        self._item["input"] = "".join(self._pieces)
        _keep_extra(self._call, self._item)

    def end(self, status: str) -> None:
        if self._read is not None and status == "completed":
            self._tell(self._read.end())
        self.keep()
        self._item["status"] = status
        done = {**self._where(), "input": self._item["input"]}
        self._answering.event("response.custom_tool_call_input.done", done)
        self._answering.done(self._place)

    def _tell(self, piece: str) -> None:
        if piece:
            self._pieces.append(piece)
            self._answering.event("response.custom_tool_call_input.delta", {**self._where(), "delta": piece})

    def _where(self) -> Json:
        return {"item_id": self._item["id"], "output_index": self._place}


def _keep_extra(call: Call, item: Json) -> None:
    if call.extra:
        item[EXTRA] = call.extra
