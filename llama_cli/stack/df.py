"""Say what takes how much of the disk."""

from __future__ import annotations

from typing import Any

from llama_cli.options import Json, Quiet, Wide
from llama_cli.terminal import console, words
from llama_cli.terminal.tables import Column, listing


def command(json: Json = False, quiet: Quiet = False, wide: Wide = False) -> None:
    """Say what takes how much of the disk, by distribution and kind.

    A file with several names (hard links) is counted once. `shared` is what lies elsewhere too, mostly in uv's cache:
    to remove it here alone frees nothing.

    Examples:
      llama stack df
      llama stack df --json
    """
    from llama_cli.disk import holdings
    from llama_cli.disk.sizes import Measured, note
    from llama_cli.terminal import progress
    from runtime.config.home import distributions_dir, llama_home

    rows: list[dict[str, Any]] = []
    total = Measured()

    def add(distribution: str | None, held: list[holdings.Holding]) -> None:
        environment = Measured()
        sizes: dict[str, tuple[int, int]] = {}
        for holding in held:
            own = Measured()
            own.add(holding.path)
            size_bytes, shared_bytes = sizes.get(holding.kind, (0, 0))
            sizes[holding.kind] = size_bytes + total.include(own), shared_bytes + own.shared_bytes
            if holding.kind == "environment":
                environment.include(own)
        for kind, (size_bytes, shared_bytes) in sizes.items():
            row = {"distribution": distribution, "kind": kind, "size_bytes": size_bytes}
            rows.append({**row, "shared_bytes": min(shared_bytes, size_bytes)})
        if distribution is not None:
            note(distributions_dir() / distribution, environment.size_bytes)

    with progress.working("measuring"):
        for folder in holdings.distribution_folders():
            add(folder.name, holdings.of_distribution(folder))
        add(None, holdings.of_home())
    if json:
        home = str(llama_home())
        facts = {"total_bytes": total.size_bytes, "shared_bytes": total.shared_bytes}
        console.document({"home": home, "holdings": rows, **facts})
        return
    columns = [
        Column("distribution", "Distribution"),
        Column("kind", "Kind"),
        Column("size_bytes", "Size", show=words.size),
        Column("shared_bytes", "Shared", show=lambda size_bytes: words.size(size_bytes) if size_bytes else ""),
    ]
    listing(rows, columns, name="kind", wide=wide, empty="nothing is here yet")
    if rows:
        console.say(f"{words.size(total.size_bytes)} in {llama_home()}; `llama stack prune` removes what nobody needs")
