"""Remove a model from this disk."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.model._name import ModelId, ModelName, chosen
from llama_cli.options import DryRun, Json, Quiet, Yes
from llama_cli.terminal import console, prompts, words


def command(
    model: ModelName = None,
    model_id: ModelId = None,
    yes: Yes = False,
    force: Annotated[
        bool, typer.Option("--force", help="The older name of `--yes`.", rich_help_panel="Older names")
    ] = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Remove a model that was downloaded or imported, or what an interrupted download has left. Says first how much
    goes.

    What was imported with `--link` stays where it is, and so does Hugging Face's cache.

    Examples:
      llama model remove Llama3.2-1B-Instruct
      llama model remove Llama3.2-1B-Instruct --yes
    """
    from contextlib import nullcontext

    from llama_cli.weights.held import held
    from llama_cli.weights.hidden import discard, sweep
    from llama_cli.weights.places import INCOMPLETE, models_on_disk, not_here
    from runtime.catalog.on_disk import stored_folder
    from runtime.config.home import models_dir

    name = chosen(model, model_id)
    folders = (stored_folder(models_dir(), name), stored_folder(models_dir() / INCOMPLETE, name))
    going = [each for each in models_on_disk() if each.folder in folders]
    if not going:
        raise not_here(name, is_wanted=False)
    size_bytes = sum(each.size_bytes for each in going)
    what = f"`{going[0].name}` ({words.size(size_bytes)} in {', '.join(str(each.folder) for each in going)})"
    if dry_run:
        console.say(f"would remove {what}")
    else:
        prompts.confirm(f"this removes {what}", yes=yes or force)
        for each in going:
            with held(each.folder) if each.state == "incomplete" else nullcontext():
                discard(each.folder)
        sweep()
        console.say(f"removed {what}")
    if json:
        result = "would_remove" if dry_run else "removed"
        rows = [(each.name, str(each.folder), each.size_bytes) for each in going]
        document = [
            {"name": name, "folder": folder, "size_bytes": size, "result": result} for name, folder, size in rows
        ]
        console.document(document)
