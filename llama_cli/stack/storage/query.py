"""Ask what is summed up, in SQL"""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.configs.reading import while_reading
from llama_cli.options import EnvFile, EnvPairs, Json, Quiet, StateDir, Target, Wide
from llama_cli.terminal import console
from llama_cli.terminal.tables import answer


def command(
    target: Target,
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT, in the SQL of DuckDB.", show_default=False)],
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="The most rows.")] = 1000,
    state: StateDir = None,
    env: EnvPairs = None,
    env_file: EnvFile = None,
    json: Json = False,
    quiet: Quiet = False,
    wide: Wide = False,
) -> None:
    """Ask in SQL what servers have summed up, such as runs of benchmarks. A server may run meanwhile.

    `llama stack storage show` names the tables: their store is `analytics`. Nothing is changed. `-q` prints the first
    column alone.

    Examples:
      llama stack storage query starter "SELECT * FROM eval_runs"
      llama stack storage query starter "SELECT count(*) FROM eval_rows" --json
    """
    with while_reading(target, env_file):
        from llama_cli.kept.admin import storage
        from llama_cli.kept.whose import owner_of

        owner = owner_of(target, state, env=env, env_file=env_file)
    options = ["--sql", sql, "--limit", str(limit)]
    found = storage("query", owner, options, what=f"asking what `{owner.name}` has summed up")
    if json:
        console.document({"name": owner.name, **found})
        return
    answer(found["columns"], found["rows"], has_more=found["has_more"], wide=wide)
