"""Say what is kept, by kind"""

from __future__ import annotations

from llama_cli.configs.reading import while_reading
from llama_cli.options import EnvFile, EnvPairs, Json, Quiet, StateDir, Target, Wide
from llama_cli.terminal import console, words
from llama_cli.terminal.tables import Column, listing


def command(
    target: Target,
    state: StateDir = None,
    env: EnvPairs = None,
    env_file: EnvFile = None,
    json: Json = False,
    quiet: Quiet = False,
    wide: Wide = False,
) -> None:
    """Say what servers keep, by kind: how many, how much, how old, and in which database. A server may run meanwhile.

    How long each kind stays is `storage.retention` of the run.yaml, as in `completions: 30d`.

    Examples:
      llama stack storage show starter
      llama stack storage show starter --json
    """
    with while_reading(target, env_file):
        from llama_cli.kept.admin import storage
        from llama_cli.kept.whose import owner_of

        owner = owner_of(target, state, env=env, env_file=env_file)
    found = storage("show", owner, what=f"counting what `{owner.name}` keeps")
    if json:
        console.document({"name": owner.name, **found})
        return
    columns = [
        Column("kind", "Kind"),
        Column("count", "Count", show="{:,}".format),
        Column("size_bytes", "Size", show=words.size),
        Column("outside_bytes", "Files", show=lambda size_bytes: words.size(size_bytes) if size_bytes else ""),
        Column("oldest", "Oldest", spare=1),
        Column("newest", "Newest", spare=1),
        Column("retention_s", "Stays", show=words.duration),
        Column("store", "Store", spare=1),
        Column("backend", "Backend", spare=1),
    ]
    listing(found["kept"], columns, name="kind", wide=wide, empty=f"`{owner.name}` has kept nothing")
    for backend in found["backends"]:
        if backend["size_bytes"]:
            console.say(
                f"{backend['name']} ({backend['type']}): {words.size(backend['size_bytes'])} in {backend['file']}"
            )
    for copy in found["copies"]:
        size = f", {words.size(copy['size_bytes'])}" if copy["size_bytes"] is not None else ""
        console.say(f"a copy of {copy['of']}, from before a migration, {copy['made_at']}{size}: {copy['name']}")
    if found["copies"]:
        console.hint(f"`llama stack storage restore {owner.name} --copy NAME` goes back to one")
