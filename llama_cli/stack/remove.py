"""Remove distributions, but not what their servers have kept."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.options import DryRun, Json, Quiet, Yes
from llama_cli.terminal import console, prompts, words
from llama_cli.terminal.progress import working


def command(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="The distributions.")],
    state: Annotated[
        bool, typer.Option("--state", help="Also what its servers have kept, and a run.yaml that you have edited.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Remove what was built of distributions: environment, lock, logs, records of ended servers.

    What servers have kept stays, and so does a run.yaml that you have edited, unless --state is given. Nothing is
    removed while a server of it runs. Packages also lie in uv's cache, which is shared: `uv cache clean` empties it.

    Examples:
      llama stack remove starter --dry-run
      llama stack remove starter --state --yes
    """
    from llama_cli.disk.holdings import distribution_folders
    from llama_cli.disk.removing import Removal, removal_of, remove
    from runtime.config.home import distribution_dir
    from runtime.config.template import template_summaries
    from runtime.errors import NotFound
    from runtime.similar import names_for

    built = {folder.name: folder for folder in distribution_folders()}
    templates = [template.name for template in template_summaries()]
    for name in names:
        if name not in built and name not in templates:
            hint = names_for(name, built) or "see `llama stack list`"
            raise NotFound(f"there is no distribution `{name}` here", hint=hint)

    def described(one: Removal) -> list[str]:
        by_kind: dict[str, int] = {}
        for held, size_bytes in one.goes:
            by_kind[held.kind] = by_kind.get(held.kind, 0) + size_bytes
        lines = [f"  {kind:12} {words.size(size_bytes):>9}" for kind, size_bytes in by_kind.items()]
        lines += [f"  record       {record.id:>9}" for record in one.ended]
        kept = [f"{held.path.name} ({words.size(size_bytes)})" for held, size_bytes in one.stays]
        return lines + ([f"  stays: {', '.join(kept)}"] if kept else [])

    with working("measuring"):
        removals = [removal_of(distribution_dir(name), with_state=state) for name in dict.fromkeys(names)]
    freed = words.size(sum(one.freed_bytes for one in removals))
    is_anything = any(one.is_anything for one in removals)
    if not json:
        for one in removals:
            console.say(f"{one.name}:" if one.is_anything else f"nothing of `{one.name}` is here that would go")
            for line in described(one):
                console.say(line)
    if dry_run:
        if not json:
            console.say(f"would free {freed}")
    elif is_anything:
        named = ", ".join(f"`{one.name}`" for one in removals)
        prompts.confirm(f"remove {named} and free {freed}", yes=yes)
        with working(f"removing {named}"):
            removals = [remove(one.folder, with_state=state) if one.is_anything else one for one in removals]
    if json:
        console.document([one.facts() for one in removals])
        return
    if shared := sum(one.shared_bytes for one in removals):
        console.say(f"{words.size(shared)} more also lie elsewhere, mostly in uv's cache: `uv cache clean` frees them")
    if not dry_run and is_anything:
        console.say(f"removed, and {freed} freed")
