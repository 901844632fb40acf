"""What a client keeps of an answer so that the next request can go on with it: blocks that Anthropic wants back as they
were, such as signed thinking.

They are `extra_content` of the call that they stand before, or of the message where no call follows. The text that
stood between them is in the message's content: a mark with its length takes its place among them.
https://platform.claude.com/docs/en/build-with-claude/thinking#preserving-thinking-blocks (read November 2026)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import Any

from runtime.apis.inference.calls import EXTRA
from runtime.sse import Json

_OURS, _BLOCKS = "anthropic", "blocks"
_THOUGHTS = ("thinking", "redacted_thinking")
_SERVERS = ("server_tool_use", "mcp_tool_use", "container_upload")
"""Of Anthropic's own tools; what they gave back ends in `_tool_result`."""


class Kept:
    """The blocks of one answer, as they come."""

    def __init__(self) -> None:
        self._blocks: list[Json] = []

    def add(self, block: Json) -> None:
        """A block that has come whole."""
        self._blocks.append(block)

    def add_text(self, length: int) -> None:
        """A block of text. length: its characters."""
        if length:
            self._blocks.append({"type": "text", "length": length})

    def take(self) -> Json | None:
        """What has come since the last time, as `extra_content`; None where none of it has to come back."""
        blocks, self._blocks = self._blocks, []
        return {_OURS: {_BLOCKS: blocks}} if any(block["type"] != "text" for block in blocks) else None


def put_back(message: Json, texts: Sequence[Json], calls: Sequence[tuple[Json, Json]]) -> Iterator[Json]:
    """The blocks of an assistant's message in the order in which they came. texts: the blocks of its content. calls:
    each call as the client has it, and its block.
    """
    groups = [_in(call) for call, _ in calls]
    last = _in(message)
    marks = [block["length"] for block in chain(*groups, last) if block["type"] == "text"]
    pieces = _Pieces(texts, marks)
    for place, (blocks, (_, call)) in enumerate(zip(groups, calls, strict=True)):
        yield from pieces.between(blocks)
        if place == 0:
            yield from pieces.unmarked()
        yield call
    yield from pieces.between(last)
    yield from pieces.rest()


def is_thought(block: Json) -> bool:
    return block["type"] in _THOUGHTS


class _Pieces:
    """The text of a message, cut where it was when it came; whole at the first mark if it is another one now."""

    def __init__(self, texts: Sequence[Json], lengths: Sequence[int]) -> None:
        self._left = list(texts)
        self._is_marked = bool(lengths)
        text = texts[0]["text"] if len(texts) == 1 and texts[0]["type"] == "text" else ""
        self._is_cut = len(lengths) > 1 and sum(lengths) == len(text)
        if self._is_cut:
            ends = list(accumulate(lengths))
            cut = [text[end - length : end] for end, length in zip(ends, lengths, strict=True)]
            self._left = [*({"type": "text", "text": piece} for piece in cut[:-1]), {**texts[0], "text": cut[-1]}]

    def between(self, blocks: Sequence[Json]) -> Iterator[Json]:
        for block in blocks:
            if block["type"] != "text":
                yield block
            elif not self._is_cut:
                yield from self.rest()
            elif (piece := self._left.pop(0))["text"].strip():
                yield piece

    def unmarked(self) -> Iterator[Json]:
        """All of it, if it has no place of its own: what was said goes before what was called."""
        return iter(()) if self._is_marked else self.rest()

    def rest(self) -> Iterator[Json]:
        left, self._left = self._left, []
        return iter(left)


def _in(holder: Json) -> list[Json]:
    """What a call or a message has kept, without what is no block of an answer: clients write what they want."""
    extra = holder.get(EXTRA)
    ours = extra.get(_OURS) if isinstance(extra, dict) else None
    blocks = ours.get(_BLOCKS) if isinstance(ours, dict) else None
    return [block for block in blocks if _is_block(block)] if isinstance(blocks, list) else []


def _is_block(block: Any) -> bool:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind == "text":
        return isinstance(block.get("length"), int) and block["length"] > 0
    return isinstance(kind, str) and (kind in _THOUGHTS or kind in _SERVERS or kind.endswith("_tool_result"))
