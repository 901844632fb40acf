"""Asks a server whether texts are harmful, as many at once as it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from llama_cli.asking import ask
from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal import console
from llama_cli.terminal.progress import working

_PATH = "/v1/moderations"
_BATCH = 32
_TIMEOUT_S = 600.0


def moderated(url: str, shield: str | None, wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
    """A row for each text, in their order. shield: None for the server's default. Raises Failure: USAGE for a shield
    that is not there, and where none is meant.
    """
    with working("waiting for the shield", total=len(wanted) if len(wanted) > _BATCH else None) as step:
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            body = {"input": list(batch), **({"model": shield} if shield is not None else {})}
            try:
                with ask.request(url, _PATH, body, timeout_s=_TIMEOUT_S) as reply:
                    for warning in reply.warnings:
                        console.warn(warning)
                    document = reply.json()
            except ask.Refusal as refusal:
                if refusal.param == "model":
                    refusal.code = ExitCode.USAGE
                    refusal.hint = refusal.hint or f"`llama shields --url {url}` lists those there are"
                raise
            yield from _rows(url, batch, document)
            step.done += len(batch)


def _rows(url: str, batch: Sequence[str], document: Any) -> list[dict[str, Any]]:
    """Raises Failure (NETWORK) for what is not one result for each text."""
    try:
        rows = [
            {
                "text": text,
                "flagged": found["flagged"],
                "categories": [name for name, flagged in found["categories"].items() if flagged],
                "category_scores": found["category_scores"],
                "user_message": found.get("user_message"),
                "shield_id": document["model"],
            }
            for text, found in zip(batch, document["results"], strict=True)
        ]
        if all(isinstance(row["flagged"], bool) and isinstance(row["category_scores"], dict) for row in rows):
            return rows
    except (AttributeError, TypeError, LookupError, ValueError):
        pass
    raise Failure(f"{url} answered with JSON that is no list of moderations", code=ExitCode.NETWORK)
