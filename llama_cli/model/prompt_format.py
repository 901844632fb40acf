"""Show how a prompt for a model is written, token by token."""

from __future__ import annotations

import sys

from llama_cli.model._name import ModelId, ModelName, chosen
from llama_cli.options import Json
from llama_cli.terminal import console


def command(model: ModelName = None, model_id: ModelId = None, json: Json = False) -> None:
    """Show how a prompt for a model is written, token by token, with examples, as Markdown.

    A server writes it for you: this is for those who use `/v1/completions`, or train.

    Examples:
      llama model prompt-format Llama3.2-1B-Instruct
      llama model prompt-format Llama-4-Scout-17B-16E-Instruct --json
    """
    from runtime.catalog import get, prompt_format

    known = get(chosen(model, model_id))
    text = prompt_format(known)
    if json:
        console.document({"name": known.descriptor, "prompt_format": known.prompt_format, "markdown": text})
    elif console.is_terminal(sys.stdout):
        from llama_cli.conversation.shown import writer

        shown = writer(raw=False)
        shown.write(text.rstrip("\n"))
        shown.close(is_whole=True)
    else:
        console.out(text, end="")
