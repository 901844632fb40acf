"""Say in words what became of a request."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import Json, Quiet, Url
from llama_cli.terminal import console


def command(
    request: Annotated[
        str,
        typer.Argument(
            metavar="REQUEST_ID", help="Its `x-request-id`, or how that begins; its trace; or the id of its answer."
        ),
    ],
    url: Url = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say in words what became of a request: who answered it and why, in which attempts, what was changed, what failed,
    and what it cost.

    It says what the request's trace states; prompts and answers are not told. Which other providers have the same model
    is asked of the server, and said as of now. `llama stack traces` lists requests, and shows one as a waterfall. With
    -q, the text without hints.

    Examples:
      llama stack explain req_0f3c1b2a4d5e6f708192a3b4
      llama stack explain req_0f3c1b2a --json
      llama stack explain chatcmpl-0f3c1b2a4d5e6f708192a3b4
    """
    from llama_cli.asking import traces
    from llama_cli.asking.address import address_of
    from llama_cli.asking.offered import offered
    from llama_cli.tracing.explained import explanation, requests_in
    from llama_cli.tracing.spans import fact
    from llama_cli.tracing.tree import meant
    from llama_cli.tracing.widths import screen, wrapped
    from runtime.telemetry import conventions as names

    address = address_of(url)
    kept = traces.kept(address, request)
    spans = meant(kept.spans, kept.root)
    if not kept.is_whole:
        console.warn(f"it has more spans than can be told: these are the first {len(kept.spans):,}")
    requests = requests_in(spans)
    if len(requests) > 1:
        message = f"the trace `{kept.trace_id}` has {len(requests)} requests"
        raise Failure(message, hint=f"`llama stack explain {requests[0]}` explains the first", code=ExitCode.USAGE)
    found = explanation(
        spans, offered(address, {str(fact(span, names.API)) for span in spans if fact(span, names.ASKED_FOR)})
    )
    if json:
        console.document(found)
        return
    is_terminal = console.is_terminal(sys.stdout)
    for number, part in enumerate(found["text"]):
        if number and is_terminal:
            console.out("")
        for line in wrapped(part, screen()) if is_terminal else [part]:
            console.out(line)
    refused = found["error"]
    if refused is not None and refused["message"]:
        if refused["hint"]:
            console.hint(refused["hint"])
    elif not found["calls"] and (found["status"] or 0) >= 400:
        console.hint(f"`llama stack logs --request {found['request_id']}` may say why")
