"""Let systemd or launchd run a distribution"""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from llama_cli.configs.reading import while_reading
from llama_cli.options import DryRun, Json, Quiet
from llama_cli.terminal import console


def command(
    target: Annotated[
        str,
        typer.Argument(metavar="DISTRO", help="What to serve: a distribution, or the path of a run.yaml."),
    ],
    options: Annotated[
        list[str] | None, typer.Argument(metavar="[-- OPTIONS]", help="Options of `llama stack run`.")
    ] = None,
    env_file: Annotated[
        str | None,
        typer.Option("--env-file", metavar="PATH", help="Read variables from this file at each start."),
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="Start it, and at each boot.")] = False,
    system: Annotated[
        bool, typer.Option("--system", help="For the machine, not for you alone.", rich_help_panel="More")
    ] = False,
    print_: Annotated[bool, typer.Option("--print", help="Print what would be written, and do nothing.")] = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the unit with which systemd, or launchd on macOS, runs a distribution in front and starts it again when it
    fails.

    Twice is the same as once. A key is never written: only the name of the file that holds it. Behind `--` stand any
    options of `llama stack run` but those that make no sense there.

    Examples:
      llama service install starter --env-file keys.env --now
      llama service install starter --print
      llama service install starter -- --port 8400
    """
    import os

    from llama_cli.servers.choices import as_words
    from llama_cli.supervisors.chosen import supervisor

    with while_reading(target):
        from llama_cli.supervisors.service import service_of

        service = service_of(target, options or [], env_file=env_file, is_system=system, environment=os.environ)
    for name in service.left_out:
        console.warn(f"`{name}` holds a password, which is never written: it belongs into the file of `--env-file`")
    found = supervisor(is_system=system, environment=os.environ)
    file, text = found.file(service.label), found.render(service)
    before = file.read_text(encoding="utf-8") if file.is_file() else None
    facts: dict[str, Any] = {
        "name": service.name,
        "supervisor": found.name,
        "file": str(file),
        "text": text,
        "changed": before != text,
        "written": False,
        "started": False,
    }
    if not (print_ or dry_run):
        found.require()
        service.make_home()
        if complaint := found.check(service.label, text):
            console.warn(f"{found.name} says of it: {complaint}")
        _write(file, text, before)
        found.reload()
        facts["written"] = before != text
        if now:
            found.start(service.label)
            facts["started"] = True
    if json:
        console.document(facts)
    elif print_:
        console.out(text, end="")
    elif quiet:
        console.row(service.name)
    else:
        again = [
            "llama",
            "service",
            "install",
            target,
            *as_words("--env-file", env_file),
            *as_words("--system", system),
        ]
        again += ["--now", *(["--", *options] if options else [])]
        _say(facts, dry_run=dry_run, is_started=now, to_start=shlex.join(again))
        if now and not dry_run and (hint := found.hint_after_start()):
            console.hint(hint)


def _write(file: Any, text: str, before: str | None) -> None:
    from llama_cli.exits import ExitCode, Failure
    from runtime.config.home import atomic_write

    if before == text:
        return
    try:
        # systemd warns of units that others cannot read; there is no secret in it.
        atomic_write(file, text, mode=0o644)
    except PermissionError as error:
        hint = "with `sudo` for the machine, without `--system` for you"
        raise Failure(f"you may not write `{file}`", hint=hint, code=ExitCode.ACCESS) from error


def _say(facts: dict[str, Any], *, dry_run: bool, is_started: bool, to_start: str) -> None:
    if dry_run:
        console.out(f"would write {facts['file']}" if facts["changed"] else f"would change nothing: {facts['file']}")
        if is_started:
            console.say(f"would start `{facts['name']}`, now and at each boot")
        return
    console.say(f"{'written' if facts['written'] else 'nothing has changed'}: {facts['file']}")
    if facts["started"]:
        console.say(f"started; see `llama service status {facts['name']}` and `llama stack logs {facts['name']}`")
    else:
        console.next_step(to_start)
