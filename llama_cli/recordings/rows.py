"""What lists say of a recording: whose it is, what was asked and answered, how large it is, and whether it is used."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from llama_cli.exits import Failure
from llama_cli.recordings.stored import Folder, model_of
from llama_cli.terminal import words
from runtime.recording import documents, used
from runtime.recording.documents import Recording
from runtime.recording.said import is_refusal


def row_of(recording: Recording, folder: Folder, is_used: set[Path] | None) -> dict[str, Any]:
    """is_used: the files that somebody has used; None where nobody has noted any."""
    assert recording.path is not None, "it was read from there"
    return {
        "file": folder.name_of(recording),
        "test": recording.scope or None,
        "provider": recording.provider,
        "operation": recording.operation,
        "model": model_of(recording),
        "kind": kind_of(recording),
        "status": recording.answer.get("status"),
        "size_bytes": sum(path.stat().st_size for path in documents.files_of(recording.path)),
        "used": None if is_used is None else recording.path in is_used,
    }


def kind_of(recording: Recording) -> str:
    """`refusal`, `stream` or `whole`."""
    if is_refusal(recording.answer):
        return "refusal"
    return "stream" if "events" in recording.answer else "whole"


def used_files(folder: Folder) -> set[Path]:
    """Those that somebody has used. Raises Failure where nobody has noted any."""
    found = used.used(folder.path)
    if found is None:
        hint = f"run all of your tests once: `llama stack exec starter --replay {folder.shown} -- pytest -q`"
        raise Failure(f"nobody has noted which recordings of `{folder.shown}` are used", hint=hint)
    return found


def total(rows: Iterable[dict[str, Any]]) -> str:
    """`12 recordings, 34.1 kB`."""
    sizes = [row["size_bytes"] for row in rows]
    return f"{words.counted(len(sizes), 'recording')}, {words.size(sum(sizes))}"
