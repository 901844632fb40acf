"""Take recordings of llama-stack or ogx"""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import DryRun, Json, Quiet
from llama_cli.terminal import console, words


def command(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A folder of recordings, one above it, or a file.")],
    folder: Annotated[
        str, typer.Argument(metavar="[DIR]", help="Where to keep them; `recordings` unless given.", show_default=False)
    ] = "recordings",
    provider: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROVIDER",
            help="Who was asked where the address says nothing; `HOST:PORT=PROVIDER` for one address.",
        ),
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Take recordings of llama-stack or ogx: calls of OpenAI's SDK become the exchanges over HTTP that they were, and
    a replay answers from them.

    A provider is known by the vendor's address, or by the name of a test such as `test_x[txt=ollama/llama3.2:3b]`. What
    cannot become an exchange is named with the reason. With -q, the files that were written.

    Examples:
      llama stack recordings import ../llama-stack/tests/integration
      llama stack recordings import suite/recordings --provider vllm --dry-run
    """
    from pathlib import Path

    from runtime.config.home import expanded

    given, into = expanded(source), expanded(folder).absolute()
    if not given.exists():
        hint = "name a folder of recordings, one above it, or a file"
        raise Failure(f"`{source}` is not there", hint=hint, code=ExitCode.USAGE)
    if into.exists() and not into.is_dir():
        raise Failure(f"`{folder}` is no folder", hint="name another one", code=ExitCode.USAGE)
    from llama_cli.recordings.stored import unusable
    from llama_cli.recordings.taking import Vendors, by_reason, keep, take
    from runtime.recording.documents import RecordingError

    vendors = Vendors(provider or [])
    taken = take(given, vendors)
    reasons = by_reason(taken.left_out)
    if not taken.recordings:
        lines = "".join(f"\n  {why}: {words.some(names, 3)}" for why, names in reasons.items())
        hint = "`--provider PROVIDER` says who was asked" if "whose address" in lines else "is it such a folder?"
        raise Failure(f"nothing of `{source}` can be imported:{lines}", hint=hint, code=ExitCode.CONFIG)
    files: list[Path] = []
    if not dry_run:
        try:
            files = keep(taken, into, vendors)
        except RecordingError as error:
            raise unusable([error]) from error
    names = [path.relative_to(into).as_posix() for path in files]
    if json:
        left_out = [{"file": name, "reason": why} for name, why in taken.left_out.items()]
        facts = {"folder": str(into), "read": taken.files, "imported": taken.count, "made_lists": taken.made_lists}
        console.document({**facts, "files": names, "left_out": left_out, "dry_run": dry_run})
        return
    if quiet:
        for name in names:
            console.row(name)
        return
    for why, of_it in reasons.items():
        console.warn(f"{len(of_it)} left out, since {why}: {words.some(of_it, 3)}")
    for name in taken.made_lists:
        console.say(f"the list of the models of {name} was not there: it has those that were asked")
    did = "would import" if dry_run else "imported"
    console.say(f"{did} {words.counted(taken.count, 'recording')} of {words.counted(taken.files, 'file')}")
    if not dry_run:
        console.next_step(f"llama stack exec starter --replay {folder} -- pytest -q")
