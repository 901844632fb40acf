"""Take in a model that lies elsewhere on this disk."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.options import DryRun, Json, Quiet
from llama_cli.terminal import console, words


def command(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="A GGUF file, or the folder of a Hugging Face or Meta checkpoint.")
    ],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call it; by default as the file or folder.")
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="Only lead to the files where they are, instead of keeping them.")
    ] = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Take a model into our own folder, with checksums, so that it can be served by its name.

    On the same disk nothing is copied: the files get a second name. What the engine cannot read is refused.

    Examples:
      llama model import ~/Downloads/model.gguf --name mine
      llama model import ./checkpoint --link
    """
    from llama_cli.terminal.progress import working
    from llama_cli.weights.importing import checked_name, find_model, is_there, take_in
    from runtime.config.home import expanded, models_dir

    found = find_model(expanded(path))
    called = checked_name(name or found.name)
    size_bytes = found.size_bytes
    with working(f"reading {called}", total=size_bytes, unit="bytes") as step:

        def count(size: int) -> None:
            step.done += size

        is_new = not is_there(found, called, count=count)
        if is_new and not dry_run:
            take_in(found, called, link=link, count=count)
    result = "already_there" if not is_new else "would_import" if dry_run else "imported"
    article = "an" if found.kind[0] in "aeiou" else "a"
    done = f"{result.replace('_', ' ')} {article} {found.kind} of {words.size(size_bytes)} as `{called}`"
    console.say(done if is_new else f"`{called}` is there already")
    facts = {"name": called, "kind": found.kind, "folder": str(models_dir() / called), "size_bytes": size_bytes}
    if json:
        console.document({**facts, "files": list(found.files), "result": result})
    elif not dry_run:
        console.row(called, facts["folder"])
        if found.kind not in ("embedding model", "reranking model"):
            console.next_step(f"llama stack run starter --model {called}")
