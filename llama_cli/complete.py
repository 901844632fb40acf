"""Continue a text with a running stack: what a model writes after it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_cli.conversation import parameters
from llama_cli.conversation.parameters import MORE
from llama_cli.exits import ExitCode, Failure
from llama_cli.options import Json, Quiet, Url
from llama_cli.terminal import console

if TYPE_CHECKING:
    from llama_cli.conversation.answers import Answer


def command(
    prompt: Annotated[str | None, typer.Argument(help="The text to continue; otherwise what comes in a pipe.")] = None,
    file: Annotated[str | None, typer.Option(metavar="FILE", help="Continue the text of a file; `-` is stdin.")] = None,
    lines: Annotated[
        bool, typer.Option("--lines", help="Each line of a pipe or file is a text; with --json, an object a line.")
    ] = False,
    model: parameters.Model = None,
    url: Url = None,
    distro: parameters.Distro = None,
    config: parameters.Config = None,
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
    from llama_cli.conversation import given_texts, models, piped, stack

    piped.is_claimed(config, file or ("-" if prompt is None else None))

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
    texts = given_texts.lines(prompt, file) if lines else given_texts.whole(prompt, file)
    first = next(texts, None)
    if first is None:
        hint = 'give a text, as in `llama complete "Once upon a time"`, or pipe one in'
        raise Failure("there is nothing to continue", hint=hint, code=ExitCode.USAGE)
    with stack.asked(url, distro, config) as address:
        chosen = model or models.default_model(address, "llm")
        if console.can_draw() and not model:
            console.dimly(f"{chosen} answers")
        for text in chain([first], texts):
            body = {"model": chosen, "prompt": text, **fields}
            answer = _continued(address, body, stream=not no_stream and not json)
            if json:
                facts = {"finish_reason": answer.finish_reason, "usage": answer.usage}
                (console.event if lines else console.document)({"model": chosen, "text": answer.content, **facts})
            if reason := answer.cut(max_tokens):
                console.say(reason)


def _continued(address: str, body: Mapping[str, Any], *, stream: bool) -> Answer:
    """What a model writes after a text, shown while it comes unless it is printed as JSON. Raises Failure."""
    from llama_cli.conversation import answers, models
    from llama_cli.conversation.shown import Raw, Shown

    model, answer = body["model"], answers.Answer()
    try:
        with (
            Shown(model, None if console.settings.json else Raw()) as shown,
            closing(answers.parts(address, answers.COMPLETION, body, stream=stream)) as coming,
        ):
            for part in coming:
                answer.add(part)
                shown.add(part)
    except Failure as failure:
        raise models.explained(failure, address, model, "llm") from failure.__cause__
    return answer
