"""Check a model's files against their checksums."""

from __future__ import annotations

from dataclasses import asdict

import typer

from llama_cli.exits import ExitCode
from llama_cli.model._name import ModelId, ModelName, chosen
from llama_cli.options import Json, Quiet
from llama_cli.terminal import console
from llama_cli.terminal.tables import Column, listing


def command(model: ModelName = None, model_id: ModelId = None, json: Json = False, quiet: Quiet = False) -> None:
    """Check a model's files against the checksums that were recorded when it was downloaded or imported, or that came
    with it (`checklist.chk`).

    The exit code is 9 when a file differs or is missing. With -q, only the names of such files.

    Examples:
      llama model verify Llama3.2-1B-Instruct
      llama model verify Llama3.2-1B-Instruct --json
    """
    from llama_cli.terminal.progress import working
    from llama_cli.weights.checksums import check, expected_digests
    from llama_cli.weights.places import model_on_disk

    here = model_on_disk(chosen(model, model_id))
    expected = expected_digests(here.folder)
    checked = []
    # Of a model that is linked, its own folder holds nothing.
    total = here.manifest.size_bytes if here.manifest else here.size_bytes
    with working(f"verifying {here.name}", total=total, unit="bytes") as step:

        def count(size: int) -> None:
            step.done += size

        for path, digest in expected.items():
            step.detail = path
            checked.append(check(here.folder, path, digest, count=count))
    is_right = all(each.state == "ok" for each in checked)
    files = [asdict(each) for each in checked]
    if json:
        console.document({"name": here.name, "folder": str(here.folder), "is_right": is_right, "files": files})
    else:
        shown = [file for file in files if file["state"] != "ok"] if quiet else files
        listing(shown, [Column("state", "State"), Column("path", "File")], name="path")
    if not is_right:
        wrong = sum(each.state != "ok" for each in checked)
        console.say(f"{wrong} of {len(checked)} files of `{here.name}` are not what they were")
        console.hint(f"`llama model remove {here.name}`, then download or import it again")
        raise typer.Exit(ExitCode.DIFFERENT)
    console.say(f"all {len(checked)} files of `{here.name}` are right")
