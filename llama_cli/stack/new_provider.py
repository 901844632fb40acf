"""Write a package with a provider of your own"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from llama_cli.options import DryRun, Json, Quiet
from llama_cli.terminal import console, words
from llama_cli.terminal.progress import waiting


def command(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The package's name, which is the provider's too: `acme-inference`.")
    ],
    api: Annotated[str, typer.Option(metavar="API", help="The API that it provides.")],
    kind: Annotated[
        Literal["inline", "remote"] | None,
        typer.Option(help="Whether it runs in the server or calls another; by default, the first that there is."),
    ] = None,
    directory: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where it is written; by default a new folder NAME.")
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a package with a provider that works: its spec, its settings, its adapter, the conformance suite that it
    passes, and a run.yaml to try it.

    The package is yours to change and to publish; nothing of this toolchain is touched. With -q, only the folder is
    printed.

    Examples:
      llama stack new-provider acme-inference --api inference --kind remote
      llama stack new-provider acme-tools --api tool_runtime
    """
    with waiting("reading what can be written"):
        from llama_cli.scaffold.kits import check_type, kit_of
        from llama_cli.scaffold.names import names_of
        from llama_cli.scaffold.writing import check_free, files_of, write

    names = names_of(name)
    kit = kit_of(api, kind)
    provider_type = check_type(kit, names.project)
    given = str(directory) if directory is not None else names.project
    folder = Path(given).absolute()
    check_free(folder, given)
    files = files_of(kit, names, provider_type)
    if not dry_run:
        write(folder, files)
    next_command = f"cd {shlex.quote(given)} && uv run pytest"
    if json:
        console.document(
            {
                "name": names.project,
                "package": names.package,
                "api": kit.api,
                "provider_type": provider_type,
                "folder": str(folder),
                "files": list(files),
                "is_written": not dry_run,
                "next": next_command,
            }
        )
        return
    if quiet:
        console.row(given)
        return
    would = "would write" if dry_run else "wrote"
    console.say(f"{would} {given}: `{provider_type}` of {kit.api}, in {words.counted(len(files), 'file')}")
    console.next_step(next_command)
