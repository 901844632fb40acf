"""Continue a text with a running stack: what a model writes after it."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from llama_cli.conversation import parameters
from llama_cli.conversation.parameters import MORE
from llama_cli.exits import ExitCode, Failure
from llama_cli.options import Json, Quiet, Url
from llama_cli.terminal import console


def command(
    prompt: Annotated[str | None, typer.Argument(help="The text to continue; otherwise what comes in a pipe.")] = None,
    model: parameters.Model = None,
    url: Url = None,
    max_tokens: parameters.MaxTokens = None,
    echo: Annotated[bool, typer.Option("--echo", help="Print the text before what follows it.")] = False,
    suffix: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What comes after; only some models fill a gap.", rich_help_panel=MORE),
    ] = None,
    temperature: parameters.Temperature = None,
    top_p: parameters.TopP = None,
    seed: parameters.Seed = None,
    stop: parameters.Stop = None,
    field: parameters.Other = None,
    no_stream: parameters.NoStream = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Continue a text with a running stack, as it is, without a conversation around it.

    The model is the one of `--model`, else the default one to chat with. What is not asked for is left to the server.

    Examples:
      llama complete "The capital of France is" --max-tokens 10
      llama complete "def total(rows):" --suffix "    return total" --json
    """
    from llama_cli.asking.address import address_of
    from llama_cli.conversation import answers, models, piped
    from llama_cli.conversation.answers import Answer
    from llama_cli.conversation.shown import Raw, Shown

    fields = parameters.fields(
        field,
        max_tokens=max_tokens,
        echo=echo or None,
        suffix=suffix,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        stop=stop,
    )
    text = piped.as_text(prompt if prompt is not None else piped.text(strip=False))
    if not text:
        hint = 'give a text, as in `llama complete "Once upon a time"`, or pipe one in'
        raise Failure("there is nothing to continue", hint=hint, code=ExitCode.USAGE)
    address = address_of(url)
    chosen = model or models.default_model(address, "llm")
    if console.can_draw() and not model:
        console.dimly(f"{chosen} answers")
    answer = Answer()
    body = {"model": chosen, "prompt": text, **fields}
    try:
        with (
            Shown(chosen, None if json else Raw()) as shown,
            closing(answers.parts(address, answers.COMPLETION, body, stream=not no_stream and not json)) as coming,
        ):
            for part in coming:
                answer.add(part)
                shown.add(part)
    except Failure as failure:
        raise models.explained(failure, address, chosen, "llm") from failure.__cause__
    if json:
        usage = answer.usage
        console.document(
            {"model": chosen, "text": answer.content, "finish_reason": answer.finish_reason, "usage": usage}
        )
    if reason := answer.cut(max_tokens):
        console.say(reason)
