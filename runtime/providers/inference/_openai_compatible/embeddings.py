"""Converts vectors to the requested encoding, whichever a vendor sends, and refuses NaN and infinity; one for each
text, in the order of the texts.

`base64` is little-endian float32. https://platform.openai.com/docs/api-reference/embeddings/create
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import sys
from array import array
from collections.abc import Callable, Sequence
from typing import Any, Literal

from runtime.sse import Reply

_VECTOR = re.compile(rb'"embedding"\s*:\s*(.)', re.DOTALL)
_INDEX = re.compile(rb'"index"\s*:\s*(\d{1,9})\b')
_NULL = re.compile(rb"[\[,]\s*null")


class NotNumbers(Exception):
    """A vector that contains something else than numbers, or cannot be read, or is missing; the message says which."""


def has_ids(given: object) -> bool:
    """Whether the input of a request is token ids instead of texts."""
    return isinstance(given, list) and bool(given) and not isinstance(given[0], str)


def asked_for(given: object) -> int:
    """How many vectors the input of a request asks for."""
    return len(given) if isinstance(given, list) and not (given and isinstance(given[0], int)) else 1


def counts_tokens(reply: Reply) -> bool:
    """Whether an answer says how many tokens were read."""
    return b'"prompt_tokens"' in reply.data or b'"total_tokens"' in reply.data


def is_to_change(reply: Reply, *, count: int, as_base64: bool) -> bool:
    """Whether an answer must be decoded: its vectors are not `count` in their order, are in the other encoding, are
    base64, which may hide a NaN, or contain null, which some vendors write for NaN, or its token counts are not
    OpenAI's. Other vectors of numbers are already valid: JSON has no NaN.
    """
    if as_base64 or b'"prompt_tokens"' not in reply.data:
        return True
    if _VECTOR.findall(reply.data) != [b"["] * count:
        return True
    if [int(index) for index in _INDEX.findall(reply.data)] != [*range(count)]:
        return True
    return b"null" in reply.data and _NULL.search(reply.data) is not None  # the word first: that is twenty times faster


def encoded(reply: Reply, *, count: int, as_base64: bool, packed: Literal["float32", "int8"] = "float32") -> Reply:
    """The answer with its vectors in the requested encoding and in order, and with OpenAI's token counts: the total
    where only that is there, else 0. count: of the texts. packed: the numbers in the vendor's base64; a whole number
    stays what it is. Raises NotNumbers.
    """
    try:
        answer = reply.value()
    except ValueError as error:
        raise NotNumbers(f"a vector that cannot be read: {error}") from error
    data = answer.get("data")
    answer["data"] = in_order = _in_order(data if isinstance(data, list) else [], count)
    changed = in_order is not data
    for entry in in_order:
        vector = entry.get("embedding")
        if isinstance(vector, str):
            numbers = _unpacked(vector, packed)
            if not as_base64:
                entry["embedding"], changed = numbers.tolist(), True
            elif packed != "float32":
                entry["embedding"], changed = _packed(numbers), True
        elif isinstance(vector, list) and as_base64:
            entry["embedding"], changed = _packed(vector), True
        elif isinstance(vector, list) and None in vector:
            raise NotNumbers("a vector that contains null instead of a number")
        elif not isinstance(vector, list):
            raise NotNumbers("an entry without a vector")
    usage = answer.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    if "prompt_tokens" not in counts:
        total = counts.get("total_tokens") or 0
        answer["usage"], changed = {"prompt_tokens": total, "total_tokens": total, **counts}, True
    return Reply.of(answer) if changed else reply


def _in_order(entries: list[Any], count: int) -> list[dict[str, Any]]:
    """The same list where it has an entry for each text in their order; `index` says which each is of, or its place."""
    if len(entries) != count or not all(isinstance(entry, dict) for entry in entries):
        raise NotNumbers(f"{len(entries)} vectors for {count} texts")
    indexes = [entry.get("index") for entry in entries]
    if indexes == [*range(count)]:
        return entries
    if all(index is None for index in indexes):
        return [{**entry, "index": at} for at, entry in enumerate(entries)]
    by_index = dict(zip(indexes, entries, strict=True))
    if by_index.keys() != {*range(count)}:
        raise NotNumbers(f"vectors whose `index` is not that of each of {count} texts")
    return [by_index[at] for at in range(count)]


def _unpacked(text: str, packed: Literal["float32", "int8"]) -> array[float]:
    try:
        data = base64.b64decode(text, validate=True)
        if packed == "int8":
            return array("f", array("b", data))
        numbers = array("f", data)
    except (ValueError, binascii.Error) as error:
        raise NotNumbers(f"a vector that is not base64 of {packed} numbers: {error}") from error
    _in_wire_order(numbers)
    return _finite(numbers)


def _packed(vector: Sequence[Any]) -> str:
    try:
        numbers = _finite(array("f", vector))
    except (TypeError, OverflowError) as error:
        raise NotNumbers(f"a vector with a value that is not a number: {error}") from error
    _in_wire_order(numbers)
    return base64.b64encode(numbers.tobytes()).decode()


def _finite(numbers: array[float]) -> array[float]:
    if not math.isfinite(sum(numbers)):  # one NaN or infinity makes the sum one
        raise NotNumbers("a vector that contains NaN or infinity as float32")
    return numbers


_in_wire_order: Callable[[array[float]], None] = array.byteswap if sys.byteorder == "big" else lambda numbers: None
