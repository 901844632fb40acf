"""Turn texts into vectors with a running stack."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from llama_cli.conversation import parameters
from llama_cli.conversation.parameters import MORE
from llama_cli.exits import ExitCode, Failure
from llama_cli.options import Json, Quiet, Url
from llama_cli.terminal import console, words


def command(
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]...", help="The texts; otherwise the lines of a pipe.")
    ] = None,
    file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Take each line of a file as a text; `-` is stdin.")
    ] = None,
    model: parameters.Model = None,
    url: Url = None,
    distro: parameters.Distro = None,
    config: parameters.Config = None,
    dimensions: Annotated[
        int | None, typer.Option(metavar="N", help="Numbers in a vector, where the model can make shorter ones.", min=1)
    ] = None,
    encoding_format: Annotated[
        Literal["float", "base64"] | None,
        typer.Option(help="Numbers, or base64 of little-endian float32.", rich_help_panel=MORE),
    ] = None,
    lines: Annotated[
        bool, typer.Option("--lines", help="With --json, an object for each text, as it comes.", rich_help_panel=MORE)
    ] = False,
    field: parameters.Other = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn texts into vectors: one JSON array a line, in the order of the texts; with --json one document, or with
    --lines too, an object a line.

    On a terminal a vector is shown by its first numbers; -q prints all of it there too. The model is the one of
    `--model`, else the first that makes embeddings.

    Examples:
      llama embed "A llama grazes." "It rains."
      cat sentences.txt | llama embed --json
    """
    from llama_cli.conversation import given_texts, models, piped, stack, vectors

    piped.is_claimed(config, file or ("-" if not texts else None))
    fields = parameters.fields(field, dimensions=dimensions, encoding_format=encoding_format)
    wanted = given_texts.texts(texts or [], file)
    if not wanted:
        hint = 'give some, as in `llama embed "A llama grazes."`, or pipe in one a line'
        raise Failure("there are no texts to embed", hint=hint, code=ExitCode.USAGE)
    with stack.asked(url, distro, config) as address:
        chosen = model or models.default_model(address, "embedding")
        usage: dict[str, int] = {}
        found: list[Any] = []
        for batch in vectors.embedded(address, chosen, wanted, fields):
            vectors.add_up(usage, batch.usage)
            if json and lines:
                vectors.tell(batch, chosen)
            elif json:
                found += batch.vectors
            else:
                vectors.show(batch)
    if json and not lines:
        lengths = vectors.length(found[0])
        console.document({"model": chosen, "dimensions": lengths, "embeddings": found, "usage": usage or None})
    elif console.can_draw():
        console.say(f"{words.counted(len(wanted), 'text')} by {chosen}")
