"""Download models from Hugging Face's hub, a mirror of it, or Meta."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import DryRun, Json, Quiet
from llama_cli.terminal import console
from llama_cli.terminal.progress import waiting

_MORE = "More"


def command(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL",
            help="Names of `llama model list`, or repositories such as `org/name`.",
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        Literal["huggingface", "meta"] | None,
        typer.Option(help="Where from; the first by default.", show_default=False),
    ] = None,
    files: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Only these files; by default what a model needs."),
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call it here.", rich_help_panel=_MORE)
    ] = None,
    revision: Annotated[
        str, typer.Option(metavar="NAME", help="A branch, tag or commit of the repository.", rich_help_panel=_MORE)
    ] = "main",
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore", "--ignore-patterns", metavar="PATTERN", help="Not these files.", rich_help_panel=_MORE
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            "--meta-url",
            metavar="URL",
            help="The hub's address instead of `HF_ENDPOINT`'s; or Meta's signed one, instead of `LLAMA_META_URL`'s. "
            "`-` is stdin. A hub other than `HF_ENDPOINT`'s gets no token.",
            rich_help_panel=_MORE,
        ),
    ] = None,
    max_parallel: Annotated[
        int, typer.Option(metavar="N", min=1, max=64, help="Connections at once.", rich_help_panel=_MORE)
    ] = 4,
    offline: Annotated[
        bool, typer.Option("--offline", help="Use only what is on this machine.", rich_help_panel=_MORE)
    ] = False,
    model_id: Annotated[
        list[str] | None,
        typer.Option("--model-id", metavar="MODEL", help="The older way to name them.", rich_help_panel="Older names"),
    ] = None,
) -> None:
    """Download models, to be served by their names. The same command goes on with what was interrupted.

    Each file is held against its checksum, and a model is there only when all of it is.

    A model whose licence must be accepted first needs a token: `HF_TOKEN`, or what `hf auth login` has saved. It goes
    to the hub of `HF_ENDPOINT` alone. Meta's server takes the signed address that comes by mail: `LLAMA_META_URL`.

    Examples:
      llama model download Llama3.2-1B-Instruct
      llama model download org/name-GGUF --files '*Q4_K_M.gguf'
      llama model download Llama3.1-8B --source meta
    """
    with waiting("preparing to download"):
        from llama_cli.downloads.request import Request, download, wanted_models
        from runtime.config.text import is_stdin, read_text

    named = [each for given in (*(models or ()), *(model_id or ())) for each in given.split(",") if each]
    if not named:
        hint = "the names are those of `llama model list --all`"
        raise Failure("which model?", hint=hint, code=ExitCode.USAGE)
    if name is not None and len(named) > 1:
        raise Failure.of_option("--name", "it is for one model, and several are to be downloaded")
    if url is not None and is_stdin(url):
        url = read_text(url, what="address").strip()
    request = Request(
        source=source or ("meta" if url and "*" in url else "huggingface"),
        url=url,
        revision=revision,
        wanted=tuple(files or ()),
        ignored=tuple(ignore or ()),
        parallel=max_parallel,
        is_offline=offline,
        is_dry_run=dry_run,
    )
    results = [download(each, request) for each in wanted_models(named, request, name=name)]
    if json:
        console.document(results)
    elif dry_run:
        for result in results:
            for file in result["files"]:
                console.row(file["path"], file["size_bytes"])
    else:
        for result in results:
            console.row(result["name"], result["folder"])
        if len(results) == 1:
            console.next_step(f"llama stack run starter --model {results[0]['name']}")
