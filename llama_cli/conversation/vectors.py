"""Asks a server for embeddings, as many texts at once as it takes, and shows vectors."""

from __future__ import annotations

import base64
import binascii
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_cli.asking import ask
from llama_cli.conversation import models
from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal import console
from llama_cli.terminal.progress import working
from llama_cli.terminal.step import cut, width
from runtime.stdio import one_line

_PATH = "/v1/embeddings"
_BATCH = 128
_TIMEOUT_S = 600.0
_SHOWN_NUMBERS, _SHOWN_TEXT = 3, 32

Vector = list[float] | str
"""Numbers, or base64 of little-endian float32."""


@dataclass(frozen=True)
class Batch:
    """Texts and their vectors, in the same order. first: the place of the first among all, from 0. usage: None where
    the server does not state it.
    """

    first: int
    texts: Sequence[str]
    vectors: list[Vector]
    usage: Mapping[str, Any] | None


def embedded(url: str, model: str, wanted: Sequence[str], fields: Mapping[str, Any]) -> Iterator[Batch]:
    """The vectors, batch after batch. Raises Failure."""
    with working(f"waiting for {model}", total=len(wanted) if len(wanted) > _BATCH else None) as step:
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            body = {"model": model, "input": list(batch), **fields}
            try:
                with ask.request(url, _PATH, body, timeout_s=_TIMEOUT_S) as reply:
                    for warning in reply.warnings:
                        console.detail(f"{url}: {warning}")
                    document = reply.json()
            except Failure as failure:
                raise models.explained(failure, url, model, "embedding") from failure.__cause__
            yield _understood(url, start, batch, document)
            step.done += len(batch)


def show(batch: Batch) -> None:
    """A vector a line; on a terminal, unless only results are wanted, what it begins with beside its text."""
    for text, vector in zip(batch.texts, batch.vectors, strict=True):
        if console.is_terminal(sys.stdout) and not console.settings.quiet:
            words = cut(one_line(" ".join(text.split())), _SHOWN_TEXT)
            words += " " * (_SHOWN_TEXT - width(words))
            console.out(f"{words}  {length(vector)} numbers: {_beginning(vector)}")
        else:
            console.out(json.dumps(vector))


def tell(batch: Batch, model: str) -> None:
    """A JSON object a line, for programs: each text with its vector."""
    for index, (text, vector) in enumerate(zip(batch.texts, batch.vectors, strict=True), batch.first):
        console.event({"model": model, "index": index, "text": text, "dimensions": length(vector), "embedding": vector})


def length(vector: Vector) -> int:
    """How many numbers it has."""
    return len(base64.b64decode(vector)) // 4 if isinstance(vector, str) else len(vector)


def add_up(total: dict[str, int], usage: Mapping[str, Any] | None) -> None:
    """Add what a batch has used, where it says so."""
    for name, count in (usage or {}).items():
        if isinstance(count, int):
            total[name] = total.get(name, 0) + count


def _beginning(vector: Vector) -> str:
    if isinstance(vector, str):
        return f"{vector[:16]}…"
    return f"[{', '.join(f'{number:.3f}' for number in vector[:_SHOWN_NUMBERS])}, …]"


def _understood(url: str, first: int, batch: Sequence[str], document: Any) -> Batch:
    """Raises Failure (NETWORK) for what is not one vector for each text."""
    try:
        rows = sorted(document["data"], key=lambda row: row["index"])
        vectors = [row["embedding"] for row in rows]
        if len(vectors) == len(batch) and all(_is_vector(vector) for vector in vectors):
            return Batch(first, batch, vectors, document.get("usage"))
    except (AttributeError, TypeError, LookupError):
        pass
    raise Failure(f"{url} answered with JSON that is no list of embeddings", code=ExitCode.NETWORK)


def _is_vector(found: Any) -> bool:
    if isinstance(found, str):
        try:
            return len(base64.b64decode(found, validate=True)) % 4 == 0
        except binascii.Error:
            return False
    return isinstance(found, list) and all(isinstance(number, int | float) for number in found)
