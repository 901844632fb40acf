"""Show one recording: what was asked, and what was answered"""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import Json, Recording, RecordingsDir
from llama_cli.terminal import console


def command(
    recording: Recording,
    folder: RecordingsDir = None,
    request: Annotated[bool, typer.Option("--request", help="Only what was asked.")] = False,
    answer: Annotated[bool, typer.Option("--answer", help="Only what was answered.")] = False,
    normalized: Annotated[
        bool, typer.Option("--normalized", help="What of the request counts when a recording is looked for, as JSON.")
    ] = False,
    json: Json = False,
) -> None:
    """Show one recording: the messages that were sent, and the answer, a stream put together as a text.

    Two requests are the same where `--normalized` shows the same: without ids, times, fields that change nothing, and
    the last digits of numbers. With --json, all of it.

    Examples:
      llama stack recordings show openai-POST-v1-chat-completions-0a1b2c3d4e.json
      llama stack recordings show 0a1b2c --answer
    """
    if request + answer + normalized > 1:
        message = "`--request`, `--answer` and `--normalized` exclude each other"
        raise Failure(message, hint="leave them out for all of it", code=ExitCode.USAGE)
    from llama_cli.recordings.folder import place_of
    from runtime.config.home import expanded

    path = expanded(recording)
    place = None if path.is_file() else place_of(folder, sought=recording)
    from llama_cli.recordings.shown import document, lines_of_answer, lines_of_request, show
    from llama_cli.recordings.stored import Folder, read
    from runtime.recording.rules import asked
    from runtime.stdio import json_text

    if place is None:
        found, file = read(path.absolute()), recording
    else:
        found = Folder(place).named(recording)
        file = Folder(place).name_of(found)
    if json:
        whole = document(found, file)
        if normalized:
            whole["request"] = asked(found.request).value
        if request or normalized:
            del whole["answer"]
        elif answer:
            del whole["request"]
        console.document(whole)
        return
    if normalized:
        console.out(json_text(asked(found.request).value, indent=2))
        return
    if not (request or answer):
        of_test = f" of {found.scope}" if found.scope else ""
        console.out(f"{found.provider}{of_test}, key {asked(found.request).key[:10]}, {file}")
    if not answer:
        show("request", lines_of_request(found))
    if not request:
        show("answer", lines_of_answer(found))
