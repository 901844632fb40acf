"""Read what `export` has written"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Annotated

import typer

from llama_cli.configs.reading import while_reading
from llama_cli.exits import ExitCode, Failure
from llama_cli.options import DryRun, EnvFile, EnvPairs, Json, Quiet, StateDir, Target
from llama_cli.terminal import console


def command(
    target: Target,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The archive; `-` is stdin.")],
    merge: Annotated[
        bool, typer.Option("--merge", help="Add to what is there; a row that is there stays as it is.")
    ] = False,
    skip: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Leave this kind out; may be repeated.")
    ] = None,
    state: StateDir = None,
    env: EnvPairs = None,
    env_file: EnvFile = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read what `export` has written into the databases that a run config names, such as those of PostgreSQL after
    SQLite. Counts and checksums are compared with the archive's in the end.

    No server may run on it meanwhile. What was interrupted goes on with `--merge`.

    Examples:
      llama stack storage import postgres-demo starter.tar.gz --dry-run
      llama stack storage import postgres-demo starter.tar.gz --env-file keys.env
    """
    with while_reading(target, env_file):
        from llama_cli.kept.admin import storage
        from llama_cli.kept.parts import summary
        from llama_cli.kept.whose import owner_of

        owner = owner_of(target, state, env=env, env_file=env_file, read=file)
    options = [*(["--merge"] if merge else []), *(["--dry-run"] if dry_run else [])]
    options += [word for kind in skip or () for word in ("--skip", kind)]
    with _opened(file) as stream:
        found = storage("import", owner, options, what=f"importing into `{owner.name}`", stdin=stream)
    parts = found["parts"]
    if json:
        console.document({"name": owner.name, "dry_run": dry_run, "parts": parts})
        return
    for line in summary(parts):
        console.say(line)
    different = sum(part["different"] or 0 for part in parts)
    if dry_run:
        console.say(f"the archive is whole, and would be imported into `{owner.name}`")
    elif different:
        console.say("imported; counts are those of the archive, and so are the checksums but for what was here before")
    else:
        console.say("imported; counts and checksums are those of the archive")


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes] | int]:
    """The archive, or the descriptor of standard input."""
    from runtime.config.text import as_meant, is_stdin

    if is_stdin(as_meant(file)):
        yield 0
        return
    try:
        stream = open(as_meant(file), "rb")  # noqa: PTH123, SIM115  # `./-` is a file; closed below
    except OSError as error:
        code = ExitCode.ACCESS if isinstance(error, PermissionError) else ExitCode.USAGE
        hint = "`llama stack storage export` writes one"
        raise Failure(f"the archive `{file}` cannot be read: {error.strerror}", hint=hint, code=code) from error
    with stream:
        yield stream
